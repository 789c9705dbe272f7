"""README as the front page, and the author's metadata file."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from techdocs_server.sandbox.config.findings import Findings
from techdocs_server.sandbox.config.front_page import copy_readme, remove_metadata

from tests.support.sites import Files, files_below, write_files

DOCS = PurePosixPath("docs")


@pytest.mark.parametrize(
    ("files", "used"),
    [
        ({"docs/README.md": "1", "docs/readme.md": "2", "README.md": "3"}, "docs/README.md"),
        ({"docs/readme.md": "2", "README.md": "3", "readme.md": "4"}, "docs/readme.md"),
        ({"README.md": "3", "readme.md": "4"}, "README.md"),
        ({"docs/other.md": "", "readme.md": "4"}, "readme.md"),
    ],
)
def test_first_readme_is_copied_where_there_is_no_index(tmp_path: Path, files: Files, used: str) -> None:
    write_files(tmp_path, files)
    assert copy_readme(tmp_path, DOCS) == PurePosixPath(used)
    after = files_below(tmp_path)
    assert after.pop("docs/index.md") == after[used]
    assert after.keys() == files.keys()


@pytest.mark.parametrize("files", [{"docs/index.md": "x", "README.md": "y"}, {"docs/a.md": ""}])
def test_index_wins_and_without_a_readme_nothing_is_made(tmp_path: Path, files: Files) -> None:
    write_files(tmp_path, files)
    before = files_below(tmp_path)
    assert copy_readme(tmp_path, DOCS) is None
    assert files_below(tmp_path) == before


def test_readme_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    write_files(tmp_path, {"docs/a.md": "", "outside": "x"})
    (tmp_path / "README.md").symlink_to(tmp_path / "outside")
    assert copy_readme(tmp_path, DOCS) is None


def test_metadata_of_the_author_is_removed_with_a_warning(tmp_path: Path) -> None:
    write_files(tmp_path, {"docs/techdocs_metadata.json": "{}", "docs/sub/techdocs_metadata.json": "{}"})
    findings = Findings()
    remove_metadata(tmp_path, DOCS, findings)
    assert files_below(tmp_path).keys() == {"docs/sub/techdocs_metadata.json"}
    assert [warning.file for warning in findings] == ["docs/techdocs_metadata.json"]
    remove_metadata(tmp_path, DOCS, findings)
    assert len(list(findings)) == 1


def test_findings_are_bounded_and_the_rest_is_counted() -> None:
    findings = Findings()
    for number in range(503):
        findings.add(str(number), file="mkdocs.yml")
    kept = list(findings)
    assert (len(kept), kept[-1].message) == (501, "3 more warnings are not shown")
