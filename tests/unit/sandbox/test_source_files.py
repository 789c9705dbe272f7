"""Messages of MkDocs lead to the files of their authors."""

from __future__ import annotations

import pytest
from techdocs_server.sandbox.source_files import SourceFiles

FILES = SourceFiles("mkdocs.yml", {"": "pages", "billing": "services/billing/docs", "billing/eu": "eu/docs"})


@pytest.mark.parametrize(
    ("message", "file"),
    [
        ("Doc file 'a/b.md' contains a link 'c.md', but the target is not found.", "pages/a/b.md"),
        ("Doc file 'billing/b.md' contains a link 'c.md'", "services/billing/docs/b.md"),
        ("Doc file 'billing/eu/b.md' contains a link 'c.md'", "eu/docs/b.md"),
        ("Error reading page 'index.md': boom", "pages/index.md"),
        ("A reference to 'x.md' is included in the 'nav' configuration, which is not found", "mkdocs.yml"),
        ("Redirect target 'x.md' does not exist!", "mkdocs.yml"),
        ("redirects plugin: 'x' is not a valid markdown file!", "mkdocs.yml"),
        ("Something else about 'x.md'", ""),
    ],
)
def test_message_leads_to_its_file(message: str, file: str) -> None:
    assert FILES.of_message(message) == file


def test_pages_beside_the_configuration_have_no_folder() -> None:
    assert SourceFiles("mkdocs.yml", {"": "."}).of_page("a.md") == "a.md"
