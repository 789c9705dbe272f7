"""A catalog on disk: what it finds, what it follows, what it says when something is broken."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.catalog.static_file import StaticFileCatalog
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import INTERNAL

from tests.support.sites import entity_document, location_document, write_catalog, write_files

BROKEN = "kind: Component\nmetadata: {name: lost\n"
Open = Callable[..., StaticFileCatalog]


@pytest.fixture
def open_catalog() -> Iterator[Open]:
    """Opens catalogs that look at the disk at every call, and closes them."""
    opened: list[StaticFileCatalog] = []

    def open_(path: Path, *, rescan_seconds: float = 0, excluded: frozenset[Path] = frozenset()) -> StaticFileCatalog:
        opened.append(StaticFileCatalog(path, rescan_seconds=rescan_seconds, excluded=excluded))
        return opened[-1]

    yield open_
    for catalog in opened:
        catalog.close()


def ref(name: str, kind: str = "component") -> EntityRef:
    return EntityRef.of(kind=kind, name=name)


async def display(catalog: StaticFileCatalog, name: str) -> str:
    source = (await catalog.entity(ref(name), viewer=INTERNAL)).source
    assert source is not None
    return source.display


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.getMessage() == "catalog_problem"]
    return [f"{record.__dict__['file']}:{record.__dict__['line']}: {record.__dict__['problem']}" for record in records]


async def test_folder_is_searched_through(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(
        tmp_path,
        {
            "catalog-info.yaml": entity_document("top"),
            "a/b/catalog-info.yml": [entity_document("deep"), entity_document("deeper", techdocs_ref="dir:docs")],
            "a/other.yaml": entity_document("other"),
            "node_modules/x/catalog-info.yaml": entity_document("foreign"),
        },
    )
    catalog = open_catalog(tmp_path)
    assert [await display(catalog, name) for name in ("top", "deep", "deeper")] == [".", "a/b", "a/b/docs"]
    for name in ("other", "foreign"):
        with pytest.raises(EntityNotFound):
            await catalog.entity(ref(name), viewer=INTERNAL)


async def test_one_file_is_a_catalog_with_what_it_names(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(
        tmp_path,
        {
            "all.yaml": [entity_document("top"), location_document("all", "./a/catalog-info.yaml", "svc/*/*.yaml")],
            "a/catalog-info.yaml": [entity_document("a"), location_document("back", "../all.yaml", "../b.yaml")],
            "b.yaml": entity_document("b"),
            "svc/1/x.yaml": entity_document("svc-1"),
            "svc/2/y.yaml": entity_document("svc-2"),
            "catalog-info.yaml": entity_document("unnamed"),
        },
    )
    catalog = open_catalog(tmp_path / "all.yaml")
    assert [await display(catalog, name) for name in ("top", "a", "b", "svc-1", "svc-2")] == [
        ".",
        "a",
        ".",
        "svc/1",
        "svc/2",
    ]
    assert (await catalog.entity(ref("all", "location"), viewer=INTERNAL)).source is None
    with pytest.raises(EntityNotFound):
        await catalog.entity(ref("unnamed"), viewer=INTERNAL)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("../outside.yaml", "catalog-info.yaml:1: the location '../outside.yaml' leads out of the catalog's folder"),
        ("../*.yaml", "catalog-info.yaml:1: the location '../*.yaml' leads out of the catalog's folder"),
        ("link.yaml", "link.yaml:0: leads out of the catalog's folder"),
        ("linked/outside.yaml", "linked/outside.yaml:0: leads out of the catalog's folder"),
        ("data/x.yaml", "data/x.yaml:0: leads out of the catalog's folder"),
        ("none.yaml", "none.yaml:0: does not exist"),
        ("loop.yaml", "loop.yaml:0: leads nowhere"),
        ("**x", "catalog-info.yaml:1: the location '**x' is not a pattern"),
        (
            "https://host/catalog-info.yaml",
            "catalog-info.yaml:1: the location 'https://host/catalog-info.yaml' is not supported, only files are",
        ),
    ],
)
async def test_location_that_is_not_followed_is_logged_and_leads_nowhere(
    open_catalog: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture, target: str, problem: str
) -> None:
    write_catalog(tmp_path, {"outside.yaml": entity_document("outside")})
    folder = write_catalog(
        tmp_path / "catalog",
        {
            "catalog-info.yaml": [entity_document("a"), location_document("l", target)][::-1],
            "data/x.yaml": entity_document("outside"),
        },
    )
    (folder / "link.yaml").symlink_to("../outside.yaml")
    (folder / "linked").symlink_to("..")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    catalog = open_catalog(folder, excluded=frozenset({folder / "data"}))
    await catalog.entity(ref("a"), viewer=INTERNAL)
    assert len(problems(caplog)) == 1
    assert problems(caplog)[0].startswith(problem)
    with pytest.raises(EntityNotFound):
        await catalog.entity(ref("outside"), viewer=INTERNAL)


async def test_absolute_location_is_outside(open_catalog: Open, tmp_path: Path) -> None:
    target = str(tmp_path / "x.yaml")
    write_catalog(tmp_path, {"catalog-info.yaml": location_document("l", target), "x.yaml": entity_document("x")})
    with pytest.raises(EntityNotFound):
        await open_catalog(tmp_path).entity(ref("x"), viewer=INTERNAL)


async def test_links_inside_are_one_file_and_folders_of_links_are_not_searched(
    open_catalog: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # As a volume of a Kubernetes ConfigMap has them.
    write_catalog(tmp_path, {"..version/catalog-info.yaml": entity_document("mounted")})
    (tmp_path / "..data").symlink_to("..version")
    (tmp_path / "catalog-info.yaml").symlink_to("..data/catalog-info.yaml")
    assert await display(open_catalog(tmp_path), "mounted") == "."
    assert problems(caplog) == []


async def test_the_configured_file_may_be_a_link_from_outside(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(tmp_path, {"real/file.yaml": entity_document("linked")})
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount/catalog.yaml").symlink_to("../real/file.yaml")
    assert await display(open_catalog(tmp_path / "mount/catalog.yaml"), "linked") == "."


async def test_excluded_folders_are_not_searched(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(tmp_path, {"data/copy/catalog-info.yaml": entity_document("copied")})
    catalog = open_catalog(tmp_path, excluded=frozenset({tmp_path / "data"}))
    with pytest.raises(EntityNotFound):
        await catalog.entity(ref("copied"), viewer=INTERNAL)


async def test_first_of_two_wins_and_the_second_is_logged(
    open_catalog: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_catalog(
        tmp_path,
        {
            "catalog-info.yaml": entity_document("twice", metadata={"title": "First"}),
            "a/catalog-info.yaml": [entity_document("once"), entity_document("TWICE", metadata={"title": "Second"})],
        },
    )
    assert (await open_catalog(tmp_path).entity(ref("twice"), viewer=INTERNAL)).title == "First"
    assert problems(caplog) == [
        "a/catalog-info.yaml:11: component:default/twice is ignored here: catalog-info.yaml line 1 has it already"
    ]


async def test_broken_file_takes_no_other_down_and_is_logged_once(
    open_catalog: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_catalog(tmp_path, {"a/catalog-info.yaml": BROKEN, "b/catalog-info.yaml": entity_document("fine")})
    catalog = open_catalog(tmp_path)
    for _ in range(3):
        assert await display(catalog, "fine") == "b"
    assert [problem.partition(": ")[0] for problem in problems(caplog)] == ["a/catalog-info.yaml:3"]


async def test_entity_in_a_broken_part_is_not_said_to_be_missing(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(tmp_path, {"a/catalog-info.yaml": BROKEN})
    catalog = open_catalog(tmp_path)
    expected = r"^the catalog cannot be read: component:default/lost is not found, but may stand in a/catalog-info.yaml line 3: not YAML"
    with pytest.raises(CatalogUnavailable, match=expected):
        await catalog.entity(ref("lost"), viewer=INTERNAL)
    with pytest.raises(EntityNotFound):
        await catalog.entity(ref("los"), viewer=INTERNAL)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "line 1: is not UTF-8"),
        (b"a: 1\nb: \xff\n", "line 2: is not UTF-8"),
        (b"#" * (1024 * 1024 + 1), "is larger than 1048576 bytes"),
        (b'name: "\\x6c..."\n', "line 1: not an entity"),
    ],
)
async def test_file_whose_text_is_unknown_may_hold_any_entity(
    open_catalog: Open, tmp_path: Path, content: bytes, problem: str
) -> None:
    write_files(tmp_path, {"catalog-info.yaml": content})
    with pytest.raises(CatalogUnavailable, match=f"may stand in catalog-info.yaml:? ?{problem}"):
        await open_catalog(tmp_path).entity(ref("any"), viewer=INTERNAL)


async def test_pipe_and_folder_by_that_name_do_not_hang(open_catalog: Open, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a/catalog-info.yaml")
    (tmp_path / "catalog-info.yaml").mkdir()
    with pytest.raises(CatalogUnavailable, match=r"a/catalog-info.yaml: is not a file"):
        await open_catalog(tmp_path).entity(ref("any"), viewer=INTERNAL)


@pytest.mark.parametrize("name", ["missing", "missing.yaml", "file/below"])
async def test_catalog_that_is_not_there_is_unavailable_by_its_name(
    open_catalog: Open, tmp_path: Path, name: str
) -> None:
    write_files(tmp_path, {"file": ""})
    with pytest.raises(CatalogUnavailable) as caught:
        await open_catalog(tmp_path / name).entity(ref("any"), viewer=INTERNAL)
    assert str(tmp_path) not in caught.value.message


async def test_changes_are_seen(open_catalog: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    catalog = open_catalog(tmp_path)
    with pytest.raises(EntityNotFound):
        await catalog.entity(ref("a"), viewer=INTERNAL)
    write_catalog(tmp_path, {"x/catalog-info.yaml": entity_document("a", metadata={"title": "1"})})
    assert (await catalog.entity(ref("a"), viewer=INTERNAL)).title == "1"
    # Within one tick of the clock, of the same size, in place.
    write_catalog(tmp_path, {"x/catalog-info.yaml": entity_document("a", metadata={"title": "2"})})
    assert (await catalog.entity(ref("a"), viewer=INTERNAL)).title == "2"
    write_catalog(tmp_path, {"x/catalog-info.yaml": BROKEN})
    with pytest.raises(CatalogUnavailable):
        await catalog.entity(ref("lost"), viewer=INTERNAL)
    (tmp_path / "x/catalog-info.yaml").unlink()
    with pytest.raises(EntityNotFound):
        await catalog.entity(ref("lost"), viewer=INTERNAL)
    write_catalog(tmp_path, {"x/catalog-info.yaml": BROKEN})
    with pytest.raises(CatalogUnavailable):
        await catalog.entity(ref("lost"), viewer=INTERNAL)
    assert len(problems(caplog)) == 2


async def test_unchanged_file_is_not_read_again(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(tmp_path, {"catalog-info.yaml": entity_document("a", metadata={"title": "1"})})
    path = tmp_path / "catalog-info.yaml"
    os.utime(path, (1000, 1000))
    catalog = open_catalog(tmp_path)
    assert (await catalog.entity(ref("a"), viewer=INTERNAL)).title == "1"
    # All that tells a change apart is put back, so only a reader would notice.
    path.write_text(path.read_text().replace("'1'", "'2'"))
    os.utime(path, (1000, 1000))
    assert (await catalog.entity(ref("a"), viewer=INTERNAL)).title == "1"
    os.utime(path, (1001, 1001))
    assert (await catalog.entity(ref("a"), viewer=INTERNAL)).title == "2"


async def test_disk_is_looked_at_once_in_a_while(open_catalog: Open, tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path, rescan_seconds=600)
    for _ in range(2):
        with pytest.raises(EntityNotFound):
            await catalog.entity(ref("a"), viewer=INTERNAL)
        write_catalog(tmp_path, {"catalog-info.yaml": entity_document("a")})


async def test_source_follows_a_link_that_is_moved(open_catalog: Open, tmp_path: Path) -> None:
    write_catalog(tmp_path, {"catalog-info.yaml": entity_document("a", techdocs_ref="dir:current")})
    (tmp_path / "current").symlink_to("one")
    catalog = open_catalog(tmp_path)
    assert await display(catalog, "a") == "one"
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("two")
    assert await display(catalog, "a") == "two"


async def test_problem_is_logged_as_a_warning_with_keys(
    open_catalog: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, {"catalog-info.yaml": "x\n"})
    with pytest.raises(EntityNotFound):
        await open_catalog(tmp_path).entity(ref("a"), viewer=INTERNAL)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    message = "not an entity: the document must be a mapping of keys to values"
    assert problems(caplog) == [f"catalog-info.yaml:1: {message}"]
