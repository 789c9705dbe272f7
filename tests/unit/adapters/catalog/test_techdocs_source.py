"""Where the documentation of an entity is built from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from techdocs_server.adapters.catalog.descriptors import parse_descriptors
from techdocs_server.adapters.catalog.techdocs_source import to_entity
from techdocs_server.domain.catalog_entity import CatalogEntity, SourceRef

from tests.support.sites import entity_document


def entity(root: Path, document: dict[str, object], *, file: str = "services/pay/catalog-info.yaml") -> CatalogEntity:
    (descriptor,) = parse_descriptors(yaml.safe_dump(document), file=file).descriptors
    return to_entity(descriptor, root=root.resolve())


@pytest.mark.parametrize(
    ("annotation", "folder"),
    [
        ("dir:.", "services/pay"),
        ("dir:./", "services/pay"),
        ("dir:docs-site", "services/pay/docs-site"),
        ("dir:./a/../b", "services/pay/b"),
        ("dir: .", "services/pay"),
    ],
)
def test_folder_is_relative_to_the_descriptor(tmp_path: Path, annotation: str, folder: str) -> None:
    found = entity(tmp_path, entity_document("pay", techdocs_ref=annotation))
    assert found.source == SourceRef("dir", str(tmp_path.resolve() / folder), folder, "pay")
    assert found.techdocs_ref == annotation
    assert found.source_problem == ""
    assert found.document["locationMetadata"] == {"type": "dir", "target": folder}


def test_folder_of_the_catalog_itself_is_called_a_dot(tmp_path: Path) -> None:
    source = entity(tmp_path, entity_document("a"), file="catalog-info.yaml").source
    assert source is not None
    assert source.display == "."


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (None, "it has no annotation backstage.io/techdocs-ref; add the line 'backstage.io/techdocs-ref: dir:.'"),
        ("", "is not understood, expected '<type>:<target>' like 'dir:.'"),
        ("docs", "is not understood, expected '<type>:<target>' like 'dir:.'"),
        ("dir:", "is not understood, expected '<type>:<target>' like 'dir:.'"),
        ("https://host/x", "is a URL without a type, expected '<type>:<target>'; write 'url:' in front of it"),
        ("url:./docs", "must be a whole URL"),
        ("url:https://user:hush@host/x", "holds a user name or password"),
        ("url:ssh://git@host/x", "it must begin with https://"),
        ("url:https://host/a/../b", "its path holds '.', '..'"),
        ("github:o/r", "has type 'github', which is not supported"),
        ("dir:..", "leads out of the folder of the entity's file"),
        ("dir:../pay2", "leads out of the folder of the entity's file"),
        ("dir:/etc", "leads out of the folder of the entity's file"),
        ("dir:a/../../x", "leads out of the folder of the entity's file"),
        ("dir:link", "leads out of the folder of the entity's file"),
        ("dir:link/../x", ""),
        ("dir:a\0b", "names no folder that can be looked up"),
    ],
)
def test_entity_without_usable_source_says_why(tmp_path: Path, annotation: str | None, problem: str) -> None:
    (tmp_path / "services/pay").mkdir(parents=True)
    (tmp_path / "services/pay/link").symlink_to(tmp_path)
    found = entity(tmp_path, entity_document("pay", techdocs_ref=annotation))
    assert problem in found.source_problem
    if problem:
        assert found.source is None
        assert "locationMetadata" not in found.document


def test_annotation_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    document = entity_document("a", metadata={"annotations": {"backstage.io/techdocs-ref": 7}})
    found = entity(tmp_path, document)
    assert (found.techdocs_ref, found.source) == ("", None)
    assert found.source_problem == "backstage.io/techdocs-ref must be text like 'dir:.'"


def test_link_inside_is_followed_and_a_loop_is_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "services/pay"
    (folder / "releases/2").mkdir(parents=True)
    (folder / "current").symlink_to("releases/2")
    (folder / "loop").symlink_to("loop")
    source = entity(tmp_path, entity_document("a", techdocs_ref="dir:current")).source
    assert source is not None
    assert source.display == "services/pay/releases/2"
    assert entity(tmp_path, entity_document("a", techdocs_ref="dir:loop")).source is None


def test_texts_for_people_come_from_the_document(tmp_path: Path) -> None:
    document = entity_document("pay", metadata={"title": "Payments", "description": "Takes money"})
    found = entity(tmp_path, document)
    assert (found.title, found.description, found.owner) == ("Payments", "Takes money", "team-a")
    assert found.source is not None
    assert found.source.site_name == "Payments"
    bare = entity(tmp_path, entity_document("pay", spec={"owner": 7}, metadata={"title": ["x"]}))
    assert (bare.title, bare.description, bare.owner) == ("", "", "")


def test_document_never_names_a_folder_of_this_machine(tmp_path: Path) -> None:
    found = entity(tmp_path, entity_document("pay"))
    assert str(tmp_path) not in json.dumps(found.document)
    assert found.source is not None
    assert str(tmp_path) not in found.source.display
