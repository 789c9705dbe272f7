"""Entities that Backstage has read from files: what of them is built on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from techdocs_server.adapters.catalog.file_locations import FileLocations
from techdocs_server.adapters.catalog.techdocs_source import annotations_of, entity_of
from techdocs_server.domain.catalog_entity import CatalogEntity, SourceRef
from techdocs_server.domain.entity import EntityRef

from tests.support.backstage_catalog import document

PAY = EntityRef("default", "component", "pay")
LOCATION = "backstage.io/managed-by-location"
AUTHORS = "backstage.io/source-location"
REF = "backstage.io/techdocs-ref"


def entity(
    location: str | None, annotation: str | None = "dir:.", *, root: Path | None = None, authors: str | None = None
) -> CatalogEntity:
    annotations = {LOCATION: location, REF: annotation, AUTHORS: authors}
    found, files = document("pay", annotations=annotations), FileLocations(root)
    return entity_of(PAY, found, local=lambda target, name: files.source(PAY, annotations_of(found), target, name))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/pay/docs").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root/out").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "root"


def test_folder_below_the_root_is_built(root: Path) -> None:
    found = entity(f"file:{root}/pay/catalog-info.yaml", "dir:./docs", root=root)
    assert found.source == SourceRef("dir", str(root / "pay/docs"), "pay/docs", "pay")
    assert found.document["locationMetadata"] == {"type": "dir", "target": "pay/docs"}


@pytest.mark.parametrize(
    "location",
    [
        "file:{root}/../elsewhere/catalog-info.yaml",
        "file:{root}/out/catalog-info.yaml",
        "file:/etc/catalog-info.yaml",
        "file:catalog-info.yaml",
        "file:///etc/x",
    ],
)
def test_folder_elsewhere_is_not_built_and_no_path_is_shown(root: Path, location: str) -> None:
    found = entity(location.format(root=root), root=root)
    assert found.source is None
    assert "catalog_file_root" in found.source_problem
    assert str(root) not in found.source_problem
    # It is documentation all the same: only this server does not build it.
    assert found.known_problem is None
    assert found.document["locationMetadata"] == {"type": "dir", "target": "."}


@pytest.mark.parametrize(
    "location",
    [
        "url:https://github.com/o/r/blob/main/catalog-info.yaml",
        "file:{root}/other/catalog-info.yaml",
        "file:{root}/../elsewhere/catalog-info.yaml",
        "file:catalog-info.yaml",
        "bootstrap:{root}/pay/catalog-info.yaml",
        None,
    ],
)
def test_what_an_author_says_of_a_location_opens_nobody_elses_folder(root: Path, location: str | None) -> None:
    (root / "other").mkdir()
    found = entity(location and location.format(root=root), root=root, authors=f"file:{root}/pay/catalog-info.yaml")
    assert found.source is None
    assert str(root) not in found.source_problem
    assert found.known_problem is None


@pytest.mark.parametrize("authors", ["file:{root}/other/x.yaml", "file:{root}/pay/link/x.yaml", "file:{root}/x.yaml"])
def test_folder_of_another_is_not_reached_from_ones_own(root: Path, authors: str) -> None:
    (root / "other").mkdir()
    (root / "pay/link").symlink_to(root / "other")
    found = entity(f"file:{root}/pay/catalog-info.yaml", root=root, authors=authors.format(root=root))
    assert found.source is None
    assert "source-location leads out" in found.source_problem
    assert str(root) not in found.source_problem


def test_author_chooses_within_the_folder_of_the_entity(root: Path) -> None:
    found = entity(f"file:{root}/pay/catalog-info.yaml", root=root, authors=f"file:{root}/pay/docs/x.yaml")
    assert found.source == SourceRef("dir", str(root / "pay/docs"), "pay/docs", "pay")


def test_without_a_root_no_file_is_built(root: Path) -> None:
    found = entity(f"file:{root}/pay/catalog-info.yaml")
    assert found.source is None
    assert str(root) not in json.dumps(found.document["locationMetadata"])


@pytest.mark.parametrize("with_root", [False, True])
@pytest.mark.parametrize("annotation", ["dir:..", "dir:../other", "dir:/etc", "dir:a/../../b"])
def test_folder_outside_of_the_entitys_own_is_refused_in_backstages_words(
    root: Path, annotation: str, *, with_root: bool
) -> None:
    found = entity(f"file:{root}/pay/catalog-info.yaml", annotation, root=root if with_root else None)
    assert found.source is None
    assert found.known_problem is not None
    assert found.known_problem.cause_name == "NotAllowedError"
    assert "locationMetadata" not in found.document


def test_link_out_of_the_root_is_refused(root: Path) -> None:
    (root / "pay/link").symlink_to(root.parent / "elsewhere")
    assert entity(f"file:{root}/pay/catalog-info.yaml", "dir:link", root=root).source is None


@pytest.mark.parametrize(
    ("annotation", "location", "name", "message", "sync"),
    [
        (None, None, "InputError", "No backstage.io/techdocs-ref annotation provided in entity: pay", None),
        ("", None, "InputError", "No backstage.io/techdocs-ref annotation provided in entity: pay", None),
        (
            "foo",
            None,
            "TypeError",
            "Unable to parse location ref 'foo', expected '<type>:<target>', e.g. 'url:https://host/path'",
            None,
        ),
        (
            "github:foo",
            "url:https://github.com/o/r/blob/main/x.yaml",
            "Error",
            "Invalid reference annotation github",
            'No preparer registered for type: "github"',
        ),
        ("dir:.", None, "Error", "Entity 'component:default/pay' is missing location", None),
        ("dir:.", "gopher:x", "InputError", "Unable to resolve location type gopher", None),
    ],
)
def test_what_backstage_would_not_build_either_is_told_in_its_words(
    annotation: str | None, location: str | None, name: str, message: str, sync: str | None
) -> None:
    known = entity(location, annotation).known_problem
    assert known is not None
    assert (known.cause_name, known.cause_message, known.sync_message) == (name, message, sync or message)


def test_page_of_an_unknown_host_is_shown_and_not_built() -> None:
    found = entity("url:https://git.example.com/o/r/blob/main/catalog-info.yaml", "dir:docs")
    assert (found.source, found.known_problem) == (None, None)
    location = {"type": "url", "target": "https://git.example.com/o/r/blob/main/docs"}
    assert found.document["locationMetadata"] == location


@pytest.mark.parametrize("target", ["//alice:secret@evil.example/x", "//evil.example\\x", "http:[x"])
def test_nothing_strange_is_made_of_an_unknown_host(target: str) -> None:
    found = entity("url:https://git.example.com/o/r/blob/main/catalog-info.yaml", f"dir:{target}")
    assert found.source is None
    assert "secret" not in json.dumps(found.document.get("locationMetadata", {}))
