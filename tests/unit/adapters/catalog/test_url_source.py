"""Entities whose documentation is on a host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from techdocs_server.adapters.catalog.descriptors import parse_descriptors
from techdocs_server.adapters.catalog.static_file import StaticFileCatalog
from techdocs_server.adapters.catalog.techdocs_source import to_entity
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.domain.catalog_entity import CatalogEntity, SourceRef
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.principal import INTERNAL

from tests.support.sites import entity_document, write_catalog

SOURCE, MANAGED, REF = (
    "backstage.io/source-location",
    "backstage.io/managed-by-location",
    "backstage.io/techdocs-ref",
)
HOSTS = SourceHosts([SourceHost("git.example", HostType.GITEA)])
GITHUB = "https://github.com/o/r"


def entity(root: Path, **annotations: str) -> CatalogEntity:
    document = entity_document("pay", metadata={"annotations": annotations})
    (descriptor,) = parse_descriptors(yaml.safe_dump(document), file="pay/catalog-info.yaml").descriptors
    return to_entity(descriptor, root=root.resolve(), hosts=HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        f"{GITHUB}/tree/main/docs",
        GITHUB,
        "https://not-listed.example/x/y",
        "https://dev.azure.com/o/p/_git/r?path=/docs&version=GBmain",
    ],
)
def test_url_is_the_source_whatever_the_location(tmp_path: Path, url: str) -> None:
    for location in ({}, {SOURCE: "url:https://other.example/x"}, {SOURCE: "nonsense"}):
        found = entity(tmp_path, **{REF: f"url:{url}", **location})
        assert found.source == SourceRef("url", url, url, "pay")
        assert found.document["locationMetadata"] == {"type": "url", "target": url}


@pytest.mark.parametrize(
    ("target", "annotations", "expected"),
    [
        (".", {MANAGED: f"url:{GITHUB}/blob/main/sub/catalog-info.yaml"}, f"{GITHUB}/tree/main/sub/"),
        ("..", {MANAGED: f"url:{GITHUB}/blob/main/sub/catalog-info.yaml"}, f"{GITHUB}/tree/main/"),
        ("/abs", {MANAGED: f"url:{GITHUB}/blob/main/sub/catalog-info.yaml"}, f"{GITHUB}/tree/main/abs"),
        (".", {SOURCE: f"url:{GITHUB}/tree/main/a/", MANAGED: f"url:{GITHUB}/blob/main/b/c"}, f"{GITHUB}/tree/main/a/"),
        (".", {SOURCE: f"url: {GITHUB}/tree/main/a/"}, f"{GITHUB}/tree/main/a/"),
        ("docs", {SOURCE: "url:https://git.example/o/r/src/branch/x/"}, "https://git.example/o/r/src/branch/x/docs"),
        ("https://other.example/x", {SOURCE: f"url:{GITHUB}/tree/main/"}, "https://other.example/x"),
    ],
)
def test_folder_is_relative_to_the_page_of_the_descriptor(
    tmp_path: Path, target: str, annotations: dict[str, str], expected: str
) -> None:
    found = entity(tmp_path, **{REF: f"dir:{target}", **annotations})
    assert found.source_problem == ""
    assert found.source == SourceRef("url", expected, expected, "pay")


@pytest.mark.parametrize("location", [{}, {SOURCE: "file:/etc/"}, {MANAGED: "file:/etc/passwd"}])
def test_file_location_leads_nowhere_but_to_the_descriptors_own_folder(
    tmp_path: Path, location: dict[str, str]
) -> None:
    found = entity(tmp_path, **{REF: "dir:docs", **location})
    assert found.source == SourceRef("dir", str(tmp_path.resolve() / "pay/docs"), "pay/docs", "pay")


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ({REF: "dir:../..", SOURCE: f"url:{GITHUB}/blob/main/sub/c.yaml"}, "it leads out of the repository"),
        ({REF: "dir:.", SOURCE: f"url:{GITHUB}/issues/1"}, "it does not look like https://github.com/owner/repo"),
        ({REF: "dir:.", SOURCE: "url:https://unknown.example/x"}, "adds 'unknown.example' to source_hosts"),
        ({REF: "dir:.", SOURCE: "url:https://u:hush@github.com/o/r"}, "it holds a user name or password"),
        ({REF: "dir:.", SOURCE: "url:"}, "cannot be used"),
        ({REF: "dir:.", SOURCE: "github:o/r"}, "source-location has type 'github', which is not supported"),
        ({REF: "dir:.", MANAGED: "s3:x"}, "managed-by-location has type 's3', which is not supported"),
        ({REF: "url:docs"}, "must be a whole URL"),
        ({REF: "url:https://hush@github.com/o/r"}, "it holds a user name or password"),
        ({REF: "url:git://github.com/o/r"}, "it must begin with https://"),
    ],
)
def test_source_that_cannot_be_says_why(tmp_path: Path, annotations: dict[str, str], problem: str) -> None:
    found = entity(tmp_path, **annotations)
    assert found.source is None
    assert problem in found.source_problem
    assert "hush" not in found.source_problem


async def test_catalog_reads_urls_as_the_operator_says(tmp_path: Path) -> None:
    location = "url:https://git.example/o/r/src/branch/main/catalog-info.yaml"
    document = entity_document("pay", metadata={"annotations": {REF: "dir:docs", SOURCE: location}})
    folder = write_catalog(tmp_path / "catalog", {"catalog-info.yaml": document})
    catalog = StaticFileCatalog(folder, source_hosts=HOSTS)
    found = await catalog.entity(EntityRef.of(namespace="default", kind="component", name="pay"), viewer=INTERNAL)
    catalog.close()
    assert found.source is not None
    assert found.source.location == "https://git.example/o/r/src/branch/main/docs"
