"""Plugins: names, options, redirects, and what the operator adds."""

from __future__ import annotations

import pytest
from techdocs_server.sandbox.config.policy import AllowedPlugin, ConfigPolicy

from tests.support.rewriting import Rewriter

CORE = "techdocs-core"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[]", [CORE]),
        ("{}", {CORE: {}}),
        ("", [CORE]),
        ("[search]", ["search", CORE]),
        ("[techdocs-core, search]", [CORE, "search"]),
        ("[/techdocs-core]", ["/" + CORE]),
        ("[{techdocs-core: {use_pymdownx_blocks: true}}]", [{CORE: {"use_pymdownx_blocks": True}}]),
        ("{search: , techdocs-core: {}}", {"search": None, CORE: {}}),
        ("[{search: {lang: [en, de], separator: '[ ]+'}}]", [{"search": {"lang": ["en", "de"], "separator": "[ ]+"}}, CORE]),
        ("[{search: {prebuild_index: false}}]", [{"search": {"prebuild_index": False}}, CORE]),
        ("[{material/search: {fields: {title: {boost: 2.0}}}}]", [{"material/search": {"fields": {"title": {"boost": 2.0}}}}, CORE]),
        ("[{group: {enabled: true, plugins: [search]}}]", [{"group": {"enabled": True, "plugins": ["search"]}}, CORE]),
    ],
)  # fmt: skip
def test_plugins_keep_their_form_and_core_is_there(rewriter: Rewriter, text: str, written: object) -> None:
    outcome = rewriter.options(f"plugins: {text}")
    assert (outcome.values["plugins"], outcome.told) == (written, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[macros]", "'plugins: macros' was left out: it is not a plugin that builds may use; allowed are:"),
        ("[monorepo]", "'plugins: monorepo' was left out: it is brought by techdocs-core already"),
        ("[{exec: {}}]", "'plugins: exec' was left out"),
        ("{macros: }", "'plugins: macros' was left out"),
        ("[techdocs-core, techdocs-core]", "'plugins: techdocs-core' was left out"),
        ("[{group: {enabled: true, plugins: [techdocs-core]}}]", "'plugins: group: plugins: techdocs-core' was left"),
        ("[{group: {enabled: true, plugins: [{group: {plugins: [macros]}}]}}]", "group: plugins: macros' was left out"),
        ("[{group: {enabled: !ENV CI}}]", "'plugins: group: enabled' was left out: it uses !ENV"),
        ("!ENV [PLUGINS]", "'plugins' was left out: it uses !ENV"),
        ("[{search: {jieba_dict: /etc/passwd}}]", "jieba_dict' was left out: it reads a file by any path"),
        ("[{search: {prebuild_index: true}}]", "prebuild_index' was left out: it runs a command"),
        ("[{search: {lang: ../x}}]", "'plugins: search: lang' was left out"),
        ("[{search: 5}]", "'plugins: search' was left out: it must be options and their values"),
        ("[{search: {}, macros: {}}]", "'plugins: search, macros' was left out: it is one item of several keys"),
        ("[{techdocs-core: {evil: 1}}]", "'plugins: techdocs-core: evil' was left out"),
    ],
)
def test_what_is_left_out_is_told(rewriter: Rewriter, text: str, told: str) -> None:
    outcome = rewriter.options(f"plugins: {text}")
    ((message, line),) = outcome.told
    assert told in message
    assert line == 2
    assert str(outcome.values["plugins"]).count(CORE) == 1


POLICY = ConfigPolicy(plugins=(AllowedPlugin("tags", ("tags_file",)), AllowedPlugin("bare")))


def test_operator_allows_plugins_with_the_options_he_names(rewriter: Rewriter) -> None:
    text = "plugins: [{tags: {tags_file: tags.md, cache_dir: /x}}, bare, {bare: {x: 1}}]"
    outcome = rewriter.options(text, policy=POLICY)
    assert outcome.values["plugins"] == [{"tags": {"tags_file": "tags.md"}}, "bare", {"bare": {}}, CORE]
    assert [message.partition(" was")[0] for message, _ in outcome.told] == [
        "'plugins: tags: cache_dir'",
        "'plugins: bare: x'",
    ]


def test_allowed_plugin_gets_no_functions(rewriter: Rewriter) -> None:
    outcome = rewriter.options("plugins: [{tags: {tags_file: !!python/name:os.system }}]", policy=POLICY)
    assert outcome.values["plugins"] == [{"tags": {}}, CORE]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("old.md", "new.md"),
        ("a/b/old.md", "a/new.md#part"),
        ("old.markdown", "https://x.example/a?b=c#d"),
        ("old page.md", "new.md"),
    ],
)
def test_redirects_inside_of_the_site_stay(rewriter: Rewriter, old: str, new: str) -> None:
    outcome = rewriter.options(f"plugins: [{{redirects: {{redirect_maps: {{'{old}': '{new}'}}}}}}]")
    assert outcome.told == []
    assert outcome.values["plugins"] == [{"redirects": {"redirect_maps": {old: new}}}, CORE]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("../old.md", "new.md"),
        ("/old.md", "new.md"),
        ("a/../../old.md", "new.md"),
        ("a\\..\\..\\old.md", "new.md"),
        ("a//old.md", "new.md"),
        ("old.html", "new.md"),
        ("techdocs_metadata.json", "new.md"),
        ("old.md", "javascript:alert(1)"),
        ("old.md", "//evil.example/"),
        ("old.md", "/etc/passwd"),
        ("old.md", 'https://x.example/"onload="x'),
        ("old.md", "https://x.example/<script>"),
        ("old.md", "{url.__class__}"),
        ("old.md", "../new.md"),
        ("old.md", ""),
    ],
)
def test_redirects_that_lead_elsewhere_are_left_out(rewriter: Rewriter, old: str, new: str) -> None:
    outcome = rewriter.options(f"plugins: [{{redirects: {{redirect_maps: {{'{old}': '{new}'}}}}}}]")
    assert len(outcome.told) == 1
    assert outcome.values["plugins"] == [{"redirects": {"redirect_maps": {}}}, CORE]
