import pytest
from techdocs_server.domain.entity import EntityRef


def test_case_does_not_distinguish_entities() -> None:
    assert EntityRef.of(namespace="Default", kind="Component", name="My-Service") == EntityRef.of(
        kind="component", name="my-service"
    )


def test_reference_prints_as_backstage_writes_it() -> None:
    assert str(EntityRef.of(kind="API", name="Pets")) == "api:default/pets"


@pytest.mark.parametrize("text", ["pets", "default/pets", "component:default/pets", "Component:Default/Pets"])
def test_every_string_form_is_read(text: str) -> None:
    assert EntityRef.parse(text) == EntityRef("default", "component", "pets")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("namespace", "a_b"),
        ("namespace", "-a"),
        ("namespace", "a" * 64),
        ("kind", "9lives"),
        ("kind", ""),
        ("kind", "a-b"),
        ("name", ""),
        ("name", "."),
        ("name", ".."),
        ("name", "-a"),
        ("name", "a/b"),
        ("name", "a\n"),
        ("name", "a" * 64),
        ("name", "é"),
    ],
)
def test_a_part_that_breaks_the_rules_is_named(part: str, value: str) -> None:
    parts = {"namespace": "default", "kind": "component", "name": "pets", part: value}
    with pytest.raises(ValueError, match=part):
        EntityRef.of(**parts)


def test_lower_casing_cannot_make_a_name_too_long_or_foreign() -> None:
    with pytest.raises(ValueError, match="name"):
        EntityRef.of(kind="component", name="İ" * 40)
