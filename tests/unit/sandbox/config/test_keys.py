"""Keys of MkDocs: which are written, which are left out, and what an author is told."""

from __future__ import annotations

import pytest
import yaml

from tests.support.rewriting import Rewriter

CORE = ["techdocs-core"]


@pytest.mark.parametrize(
    "text",
    [
        "site_url: https://x.example/",
        "site_url: ''",
        "site_description: 'Yes: it is'",
        "site_author: A",
        "repo_url: https://github.com/o/r\nrepo_name: o/r\nedit_uri: edit/main/docs/",
        "edit_uri: ?path=docs/",
        "edit_uri: ''",
        "edit_uri: https://x.example/edit/",
        "edit_uri_template: 'edit/{path!q}?x={path_noext}'",
        "docs_dir: ./documentation/",
        "exclude_docs: |\n  drafts/\n  !kept.md\n",
        "draft_docs: x.md",
        "not_in_nav: /a.md",
        "theme: readthedocs",
        "theme: {name: material, language: zh-Hant, font: {text: Roboto, code: Mono}, icon: {logo: material/a}}",
        "extra: {anything: [1, {goes: 2026-01-31}], homepage: ../}",
        "extra_css: [a.css, https://x.example/b.css]",
        "use_directory_urls: false",
        "strict: true",
        "copyright: <a href='x'>&copy;</a>",
        "validation: {nav: {omitted_files: warn}, links: {absolute_links: relative_to_docs}, anchors: ignore}",
    ],
)
def test_benign_keys_stay_as_they_are(rewriter: Rewriter, text: str) -> None:
    outcome = rewriter.options(text)
    assert outcome.told == []
    assert outcome.values == {"site_name": "Demo", **yaml.safe_load(text), "plugins": CORE}


@pytest.mark.parametrize("key", ["site_dir", "dev_addr", "watch", "remote_branch", "remote_name"])
def test_keys_without_effect_are_left_out_without_a_word(rewriter: Rewriter, key: str) -> None:
    outcome = rewriter.options(f"{key}: ../../x")
    assert (outcome.values, outcome.told) == ({"site_name": "Demo", "plugins": CORE}, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hooks: [x.py]", "'hooks' was left out: it runs code of the documentation source; ask the operator"),
        ("hooks:", "'hooks' was left out"),
        ("INHERIT: ../base.yml", "'INHERIT' was left out: it reads another file; copy what it holds into this one"),
        ("extra_javascript: [x.js]", "'extra_javascript' was left out"),
        ("extra_templates: [x.html]", "'extra_templates' was left out"),
        ("pages: [x.md]", "rename it to 'nav'"),
        ("google_analytics: [a, b]", "write it as extra: analytics"),
        ("config_file_path: /x", "'config_file_path' was left out: it is not an option that builds may use"),
        ("site_descripton: x", "did you mean site_description?"),
        ("1: x", "'1' was left out"),
        ("strict: !ENV STRICT", "'strict' was left out: it uses !ENV, which is not allowed there; write the value"),
        ("copyright: !!python/name:os.system", "'copyright' was left out: it uses !!python/name:os.system"),
        ("theme: {name: material, custom_dir: x}", "'theme: custom_dir' was left out"),
        ("theme: {name: material, locale: de}", "set 'language'"),
        ("theme: {name: material, include: x}", "'theme: include' was left out: it is not an allowed option"),
        ("theme: {name: material, language: ../x}", "'theme: language' was left out"),
        ("theme: {name: material, icon: {repo: ../../x}}", "'theme: icon: repo' was left out"),
        ("theme: {name: material, icon: {repo: a/../x}}", "'theme: icon: repo' was left out"),
        ("theme: {name: material, logo: 'javascript:x'}", "'theme: logo' was left out"),
        ("theme: fancy", "the theme 'fancy' is not installed; material is used"),
        ('extra: {homepage: "java\\tscript:x"}', "'extra: homepage' was left out"),
        ("extra: {homepage: ' JavaScript:x'}", "'extra: homepage' was left out"),
        ("extra: {homepage: 'data:text/html,x'}", "'extra: homepage' was left out"),
        ("extra: {alternate: [{link: 'vbscript:x'}]}", "'extra: alternate: link' was left out"),
        ("extra: {a: {b: [!!python/name:x.y '']}}", "'extra: a: b' was left out"),
        ("extra_css: [../x.css]", "'extra_css' was left out"),
        ("extra_css: [//evil.example/x.css]", "'extra_css' was left out"),
        ("validation: {links: {anchors: loud}}", "'validation: links: anchors' was left out"),
    ],
)
def test_what_is_left_out_is_told_with_its_line(rewriter: Rewriter, text: str, told: str) -> None:
    outcome = rewriter.options(text)
    (message, line) = outcome.told[0]
    assert told in message
    assert (len(outcome.told), line) == (1, 2)
    assert "x.py" not in str(outcome.values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site_url: 5", "site_url must be text, not a number"),
        ("site_url: x.example", "site_url must be a URL that starts with http:// or https://"),
        ("repo_url: javascript:x", "repo_url must be a URL that starts with http:// or https://"),
        ("repo_url: 'https://'", "repo_url must be a URL"),
        ("edit_uri: javascript:x", "edit_uri must be a path below repo_url, or a http or https URL"),
        ("edit_uri: //evil.example/", "edit_uri must be a path below repo_url"),
        ("edit_uri_template: '{path.__class__}'", "edit_uri_template has placeholders that MkDocs does not have"),
        ("edit_uri_template: '{path:99999999}'", "edit_uri_template has placeholders"),
        ("edit_uri_template: 'javascript:{path}'", "edit_uri_template must be a path"),
        ("docs_dir: [docs]", "docs_dir must be text, not a list"),
        ("theme: [material]", "theme must be options and their values, not a list"),
        ("plugins: search", "plugins must be a list, not text"),
        ("plugins: [[search]]", "plugins must be a list of names, not a list"),
        ("markdown_extensions: 5", "markdown_extensions must be a list, not a number"),
        ("nav: {a: b.md}", "nav must be a list of pages and sections, not options and their values"),
        ("use_directory_urls: 'no'", "use_directory_urls must be true or false, not text"),
        ("extra: text", "extra must be options and their values, not text"),
        (f"copyright: {'x' * 20_001}", "copyright has more than 20000 characters"),
    ],
)
def test_wrong_type_of_a_key_ends_the_build(rewriter: Rewriter, text: str, message: str) -> None:
    problem = rewriter.problem(f"site_name: Demo\n{text}\n")
    assert message in problem.message
    assert (problem.file, problem.line, problem.is_refused) == ("mkdocs.yml", 2, False)


@pytest.mark.parametrize(
    "path", ["..", "../docs", "a/../../docs", "/docs", "//docs", "a\\b", '"a\\tb"', "docs/../../docs", "!ENV X"]
)
def test_docs_dir_outside_of_the_source_is_refused(rewriter: Rewriter, path: str) -> None:
    problem = rewriter.problem(f"site_name: Demo\ndocs_dir: {path}\n")
    assert problem.message.startswith("docs_dir ")
    assert (problem.line, problem.is_refused) == (2, True)


def test_docs_dir_that_is_a_link_is_refused(rewriter: Rewriter) -> None:
    (rewriter.folder / "docs").symlink_to("/")
    assert rewriter.problem("site_name: Demo\ndocs_dir: docs\n").is_refused


def test_missing_name_is_said_to_be_missing(rewriter: Rewriter) -> None:
    problem = rewriter.problem("site_author: A\n")
    assert (problem.message, problem.hint) == ("site_name is missing", "add a line like 'site_name: My docs'")
    assert rewriter.problem("site_name: !ENV NAME\n").message == "site_name is missing"
    assert rewriter.problem("").message == "site_name is missing"


def test_name_in_an_inherited_file_is_refused_with_what_to_do(rewriter: Rewriter) -> None:
    problem = rewriter.problem("theme: material\nINHERIT: ../base.yml\n")
    assert (problem.line, problem.is_refused, problem.hint) == (2, True, "copy what it holds into this file")


def test_theme_without_a_name_is_the_one_that_is_used_anyway(rewriter: Rewriter) -> None:
    outcome = rewriter.options("theme: {features: [toc.follow]}")
    assert outcome.values["theme"] == {"name": "material", "features": ["toc.follow"]}
