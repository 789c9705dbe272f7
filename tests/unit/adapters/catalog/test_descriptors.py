"""Descriptor files become entities, locations and problems."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import cast

import pytest
import yaml
from techdocs_server.adapters.catalog.descriptors import (
    CatalogProblem,
    DescriptorFile,
    LocationTarget,
    parse_descriptors,
)
from techdocs_server.domain.entity import EntityRef

from tests.support.sites import entity_document, location_document

FILE = "services/catalog-info.yaml"


def parse(*documents: object) -> DescriptorFile:
    return parse_descriptors(yaml.safe_dump_all(documents), file=FILE)


def metadata_of(document: object) -> dict[str, object]:
    (found,) = parse(document).descriptors
    return dict(cast("Mapping[str, object]", found.document["metadata"]))


def test_document_is_as_written_with_what_every_entity_has() -> None:
    written = entity_document("Payments", metadata={"labels": {"a": "b"}, "tags": ["x"]})
    (found,) = parse(written).descriptors
    assert found.ref == EntityRef("default", "component", "payments")
    metadata = metadata_of(written)
    uuid.UUID(cast("str", metadata.pop("uid")))
    assert metadata == {
        "name": "Payments",
        "namespace": "default",
        "labels": {"a": "b"},
        "tags": ["x"],
        "annotations": {
            "backstage.io/techdocs-ref": "dir:.",
            "backstage.io/managed-by-location": f"file:./{FILE}",
            "backstage.io/managed-by-origin-location": f"file:./{FILE}",
        },
    }
    assert {**found.document, "metadata": 0} == {**written, "metadata": 0}


def test_id_is_the_entitys_own_and_does_not_change() -> None:
    assert metadata_of(entity_document("a"))["uid"] == metadata_of(entity_document("A", spec={"x": 1}))["uid"]
    assert metadata_of(entity_document("a"))["uid"] != metadata_of(entity_document("b"))["uid"]


def test_what_the_author_gave_is_kept() -> None:
    own = {"backstage.io/managed-by-location": "url:https://x"}
    metadata = metadata_of(entity_document("a", metadata={"uid": "u-1", "namespace": "Ops", "annotations": own}))
    assert (metadata["uid"], metadata["namespace"]) == ("u-1", "Ops")
    assert metadata["annotations"] == {**own, "backstage.io/managed-by-origin-location": f"file:./{FILE}"}


def test_every_kind_is_an_entity() -> None:
    kinds = ["API", "Component", "Domain", "Group", "Resource", "System", "Template", "User"]
    found = parse(*(entity_document("a", kind=kind) for kind in kinds))
    assert [descriptor.ref.kind for descriptor in found.descriptors] == [kind.lower() for kind in kinds]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("text", "the document must be a mapping of keys to values"),
        ({"kind": "Component"}, "metadata must be a mapping of keys to values"),
        ({**entity_document("a"), "apiVersion": None}, "apiVersion is missing"),
        ({**entity_document("a"), "kind": 7}, "kind must be text; put 7 in quotes"),
        ({**entity_document("a"), "kind": "Two Words"}, "kind 'Two Words' is not a valid kind of a catalog entity"),
        (entity_document("a/b"), "name 'a/b' is not a valid name of a catalog entity"),
        (entity_document("a", metadata={"name": None}), "metadata.name is missing"),
        (entity_document("a", metadata={"name": 7}), "metadata.name must be text; put 7 in quotes"),
        (
            entity_document("a", metadata={"annotations": []}),
            "metadata.annotations must be a mapping of keys to values",
        ),
    ],
)
def test_invalid_document_is_a_problem_and_the_next_one_an_entity(document: object, message: str) -> None:
    found = parse(document, entity_document("next"))
    assert [descriptor.ref.name for descriptor in found.descriptors] == ["next"]
    assert found.problems == (CatalogProblem(FILE, 1, f"not an entity: {message}", hides_entities=True),)


def test_empty_documents_are_nothing() -> None:
    assert parse_descriptors("---\n---\n# comment\n", file=FILE) == DescriptorFile()


def test_problems_name_file_and_line() -> None:
    found = parse_descriptors("a: 1\n---\nkind: [\n", file=FILE)
    assert [str(problem).split(": ")[0] for problem in found.problems] == [f"{FILE} line 1", f"{FILE} line 4"]


def test_problems_of_one_file_are_bounded() -> None:
    found = parse_descriptors("---\nx\n" * 100, file=FILE)
    assert len(found.problems) == 21
    assert found.problems[-1] == CatalogProblem(FILE, 41, "and 80 more problems from here", hides_entities=True)


def test_location_names_files_and_is_an_entity() -> None:
    found = parse(location_document("all", "./a.yaml", "b/*.yaml", target="c.yaml"))
    assert found.targets == tuple(LocationTarget(target, 1) for target in ("c.yaml", "./a.yaml", "b/*.yaml"))
    assert [descriptor.ref.kind for descriptor in found.descriptors] == ["location"]


def test_location_elsewhere_is_a_problem_that_hides_nothing() -> None:
    found = parse(location_document("all", "https://x/catalog-info.yaml", type="url"))
    message = "locations of type 'url' are not supported, only 'file' is"
    assert (found.targets, found.problems) == ((), (CatalogProblem(FILE, 1, message),))
