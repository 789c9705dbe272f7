"""Where readers find and edit the source: what the author wrote wins."""

from __future__ import annotations

import pytest
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.config.rewrite import EditPlaces, new_config

from tests.support.rewriting import Rewriter, read_new

EDIT = EditPlaces("https://github.com/o/r/tree/main", "https://github.com/o/r/edit/main/")


@pytest.mark.parametrize(
    ("config", "repo_url", "edit_uri"),
    [
        ("", EDIT.repo_url, "https://github.com/o/r/edit/main/docs"),
        ("docs_dir: ./pages/", EDIT.repo_url, "https://github.com/o/r/edit/main/pages"),
        ("repo_url: https://x.example/r", "https://x.example/r", "https://github.com/o/r/edit/main/docs"),
        ("edit_uri: edit/", EDIT.repo_url, "edit/"),
        ("edit_uri: ''", EDIT.repo_url, ""),
        ("edit_uri_template: e/{path}", EDIT.repo_url, None),
        ("repo_url: https://x.example/r\nedit_uri: e/", "https://x.example/r", "e/"),
    ],
)
def test_only_what_the_author_left_open_is_filled_in(
    rewriter: Rewriter, config: str, repo_url: str, edit_uri: str | None
) -> None:
    values = rewriter.rewrite(f"site_name: Demo\n{config}\n", edit=EDIT).values
    assert (values["repo_url"], values.get("edit_uri")) == (repo_url, edit_uri)


def test_repository_without_an_editor_sets_its_url_only(rewriter: Rewriter) -> None:
    values = rewriter.rewrite("site_name: Demo\n", edit=EditPlaces("https://git.example/r")).values
    assert (values["repo_url"], "edit_uri" in values) == ("https://git.example/r", False)


def test_places_that_are_no_web_urls_are_not_used(rewriter: Rewriter) -> None:
    values = rewriter.rewrite("site_name: Demo\n", edit=EditPlaces("javascript:x", "javascript:y")).values
    assert values.keys() == {"site_name", "plugins"}


def test_source_without_configuration_gets_one_with_them() -> None:
    made = new_config("mkdocs.yml", site_name="Given: name", policy=ConfigPolicy(), edit=EDIT)
    assert read_new(made.files["mkdocs.yml"]) == {
        "site_name": "Given: name",
        "docs_dir": "docs",
        "plugins": ["techdocs-core"],
        "repo_url": EDIT.repo_url,
        "edit_uri": "https://github.com/o/r/edit/main/docs",
    }
