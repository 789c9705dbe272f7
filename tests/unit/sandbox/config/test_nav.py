"""Navigation and included configurations."""

from __future__ import annotations

import pytest
import yaml
from techdocs_server.sandbox.config.includes import MAX_INCLUDES

from tests.support.rewriting import Rewriter
from tests.support.sites import Files

PART: Files = {"part/mkdocs.yml": "site_name: part\n", "part/docs/index.md": "# Part\n"}


@pytest.mark.parametrize(
    "text",
    [
        "[index.md, {A: a.md}, {B: [b.md, {C: 'c.md#part'}]}]",
        "[{Out: 'https://x.example/'}, {Mail: 'mailto:a@x.example'}, /abs.md, ./a.md, a/../b.md]",
        "[{1.5: a.md}, {2026: [b.md]}, {true: c.md}]",
        "[{Mapping: {One: a.md, Two: [b.md]}}]",
        "[{Empty: []}]",
    ],
)
def test_pages_links_and_sections_stay_as_they_are(rewriter: Rewriter, text: str) -> None:
    outcome = rewriter.options(f"nav: {text}")
    assert (outcome.values["nav"], outcome.told) == (yaml.safe_load(text), [])


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("../x.md", "'nav: ../x.md' was left out: it leads out of the documentation folder"),
        ("{X: a/../../x.md}", "'nav: X' was left out"),
        ("{X: 'javascript:alert(1)'}", "'nav: X' was left out"),
        ("{X: //evil.example}", "'nav: X' was left out"),
        ("{X: 'a\\b.md'}", "'nav: X' was left out"),
        ("{X: !include ./part/mkdocs.yml}", "put the whole value in quotes"),
        ("'!include ./part/mkdocs.yml'", "includes need a title"),
        ("{X: {Y: '!include ./part/mkdocs.yml'}}", "includes need a title"),
        ("{X: '*include ./none/*/mkdocs.yml'}", "'nav: X' was left out: it matches no configuration"),
    ],
)
def test_item_that_leads_elsewhere_is_left_out(rewriter: Rewriter, item: str, told: str) -> None:
    outcome = rewriter.rewrite(f"site_name: Demo\nnav: [index.md, {item}]\n", PART)
    nav = outcome.values["nav"]
    assert nav in (["index.md"], ["index.md", {"X": {}}])
    ((message, line),) = outcome.told
    assert told in message
    assert line == 2


@pytest.mark.parametrize(
    ("nav", "message"),
    [
        ("[{a: b.md, c: d.md}]", "nav has an item of several keys"),
        ("[5]", "nav must be a page, a link or a list of them, not a number"),
        ("[{a: }]", "nav must be a page, a link or a list of them, not nothing"),
        ("text", "nav must be a list of pages and sections, not text"),
    ],
)
def test_what_is_no_navigation_ends_the_build(rewriter: Rewriter, nav: str, message: str) -> None:
    problem = rewriter.problem(f"site_name: Demo\nnav: {nav}\n")
    assert problem.message.startswith(message)
    assert problem.line == 2


def test_included_configuration_is_rewritten_too(rewriter: Rewriter) -> None:
    files = {
        **PART,
        "part/mkdocs.yml": "site_name: part\nhooks: [x.py]\nnav: [index.md, {X: ../../y.md}]\nwatch: [a]\n",
    }
    outcome = rewriter.rewrite("site_name: Demo\nnav: [{Part: '!include ./part/mkdocs.yml'}]\n", files)
    assert outcome.of("part/mkdocs.yml") == {"site_name": "part", "nav": ["index.md"]}
    assert [(warning.file, warning.line) for warning in outcome.warnings] == [
        ("part/mkdocs.yml", 2),
        ("part/mkdocs.yml", 3),
    ]
    assert outcome.rewritten.docs == {"": "docs", "part": "part/docs"}


def test_pattern_becomes_the_includes_it_matches(rewriter: Rewriter) -> None:
    files = {
        "teams/b/mkdocs.yml": "site_name: Bees\ndocs_dir: pages\n",
        "teams/b/pages/index.md": "",
        "teams/a/mkdocs.yml": "site_name: teams/a\n",
        "teams/a/docs/index.md": "",
    }
    outcome = rewriter.rewrite("site_name: Demo\nnav: [{Teams: '*include ./teams/*/mkdocs.yml'}]\n", files)
    assert outcome.values["nav"] == [
        {"Teams": [{"teams/a": "!include ./teams/a/mkdocs.yml"}, {"Bees": "!include ./teams/b/mkdocs.yml"}]}
    ]
    assert outcome.rewritten.docs == {"": "docs", "teams/a": "teams/a/docs", "Bees": "teams/b/pages"}


@pytest.mark.parametrize(
    ("include", "message", "is_refused"),
    [
        ("!include ../x/mkdocs.yml", "nav leads out of the documentation source", True),
        ("!include /etc/mkdocs.yml", "nav leads out of the documentation source", True),
        ("*include ../*/mkdocs.yml", "nav leads out of the documentation source", True),
        ("*include /etc/*/mkdocs.yml", "nav leads out of the documentation source", True),
        ("*include ./**/**/mkdocs.yml", "'./**/**/mkdocs.yml' is no pattern", False),
        ("*include ./**.yml", "'./**.yml' is no pattern", False),
        ("*include ./*/mkdocs.md", "'./*/mkdocs.md' is no pattern", False),
        ("*include ", "'' is no pattern", False),
        ("!include ./none/mkdocs.yml", "the included file none/mkdocs.yml does not exist", False),
        ("!include ./part/docs/index.md", "the included file part/docs/index.md does not end with .yml", False),
        ("!include ./mkdocs.yml", "mkdocs.yml includes itself", False),
        ("!include part/../mkdocs.yml", "mkdocs.yml includes itself", False),
        ("!include ./link/mkdocs.yml", "the included file link/mkdocs.yml does not exist", False),
    ],
)
def test_include_that_is_none_ends_the_build(rewriter: Rewriter, include: str, message: str, is_refused: bool) -> None:
    (rewriter.folder / "link").symlink_to("part")
    problem = rewriter.problem(f"site_name: Demo\nnav:\n  - Part: '{include}'\n", PART)
    assert problem.message.startswith(message)
    assert (problem.file, problem.line, problem.is_refused) == ("mkdocs.yml", 3, is_refused)


@pytest.mark.parametrize(
    ("config", "message", "is_refused"),
    [
        ("site_name: ../../x", "site_name '../../x' cannot be the folder of an included site", True),
        ("site_name: /x", "site_name '/x' cannot be", True),
        ("site_name: a/./b", "site_name 'a/./b' cannot be", True),
        ("site_name: .", "site_name '.' cannot be", True),
        ("site_name: techdocs_metadata.json", "site_name 'techdocs_metadata.json' cannot be", True),
        ("site_name: part\ndocs_dir: ../../docs", "docs_dir leads out of the documentation source", True),
        ("site_name: part\ndocs_dir: none", "the documentation folder part/none of the included site", False),
        ("nav: [x.md]", "site_name is missing", False),
        ("a: b: c", "part/mkdocs.yml is not valid YAML", False),
    ],
)
def test_included_configuration_that_is_none_ends_the_build(
    rewriter: Rewriter, config: str, message: str, is_refused: bool
) -> None:
    files = {**PART, "part/mkdocs.yml": config}
    problem = rewriter.problem("site_name: Demo\nnav: [{Part: '!include ./part/mkdocs.yml'}]\n", files)
    assert problem.message.startswith(message)
    assert (problem.file, problem.is_refused) == ("part/mkdocs.yml", is_refused)


def test_included_docs_may_be_elsewhere_in_the_source(rewriter: Rewriter) -> None:
    files = {**PART, "part/mkdocs.yml": "site_name: part\ndocs_dir: ../shared\n", "shared/index.md": ""}
    outcome = rewriter.rewrite("site_name: Demo\nnav: [{Part: '!include ./part/mkdocs.yml'}]\n", files)
    assert outcome.rewritten.docs["part"] == "shared"


def test_includes_do_not_include(rewriter: Rewriter) -> None:
    files = {**PART, "part/mkdocs.yml": "site_name: part\nnav: [{Deep: '!include ../mkdocs.yml'}]\n"}
    outcome = rewriter.rewrite("site_name: Demo\nnav: [{Part: '!include ./part/mkdocs.yml'}]\n", files)
    ((message, line),) = outcome.told
    assert "includes a configuration where that is not possible" in message
    assert line == 2


def test_two_included_sites_of_one_name_end_the_build(rewriter: Rewriter) -> None:
    files = {**PART, "other/mkdocs.yml": "site_name: part\n", "other/docs/index.md": ""}
    nav = "[{A: '!include ./part/mkdocs.yml'}, {B: '!include ./other/mkdocs.yml'}]"
    problem = rewriter.problem(f"site_name: Demo\nnav: {nav}\n", files)
    assert problem.message == "site_name 'part' is that of another included site"
    assert (problem.file, problem.line) == ("other/mkdocs.yml", 1)
    twice = "[{A: '!include ./part/mkdocs.yml'}, {B: '!include part/mkdocs.yml'}]"
    assert rewriter.problem(f"site_name: Demo\nnav: {twice}\n", files).message == "part/mkdocs.yml is included twice"


def test_number_of_includes_is_bounded(rewriter: Rewriter) -> None:
    files: Files = {f"parts/{number}/mkdocs.yml": f"site_name: part-{number}\ndocs_dir: ../../docs\n" for number in range(MAX_INCLUDES + 1)}  # fmt: skip
    problem = rewriter.problem(
        "site_name: Demo\nnav: [{Parts: '*include ./parts/*/mkdocs.yml'}]\n", {**files, "docs/index.md": ""}
    )
    assert problem.message == f"more than {MAX_INCLUDES} files are included"
