"""Markdown extensions: names and options."""

from __future__ import annotations

import pytest
import yaml
from techdocs_server.sandbox.config.extension_options import EXTENSIONS, REASONS

from tests.support.rewriting import Rewriter, Tag

NAME = "name:"
CALL = "object/apply:"


@pytest.mark.parametrize(
    "text",
    [
        "[admonition, pymdownx.details, markdown.extensions.tables]",
        "[{toc: {permalink: '#', toc_depth: 2-4, baselevel: 2}}]",
        "[{toc: }, attr_list]",
        "{toc: {permalink: true}, attr_list: , footnotes: {BACKLINK_TEXT: up}}",
        "[{pymdownx.snippets: {base_path: docs, check_paths: true, auto_append: [a.md], encoding: utf-8}}]",
        "[{pymdownx.snippets: {base_path: [., docs/x], restrict_base_path: true, url_download: false}}]",
        "[{pymdownx.b64: {base_path: docs}}]",
        "[{pymdownx.keys: {key_map: {hyper: Hyper}, class: k}}]",
        "[{pymdownx.highlight: {pygments_style: monokai, extend_pygments_lang: [{name: a, lang: php}]}}]",
        "[{codehilite: {pygments_style: solarized-dark}}]",
        "[{pymdownx.blocks.html: {custom: [{tag: x, mode: block}]}}]",
        "[{pymdownx.extra: {pymdownx.superfences: {css_class: x}}}]",
        "[{extra: {footnotes: {UNIQUE_IDS: true}}}]",
        "[{mdx_truly_sane_lists: {nested_indent: 4, truly_sane: true}}]",
        "[{plantuml_markdown: {format: svg, theme: plain, classes: a b}}, markdown_inline_graphviz]",
        "[{material.extensions.preview: {targets: {include: [a.md]}}}]",
    ],
)
def test_documented_options_stay_as_they_are(rewriter: Rewriter, text: str) -> None:
    outcome = rewriter.options(f"markdown_extensions: {text}")
    assert outcome.told == []
    expected = yaml.safe_load(text)
    if isinstance(expected, list):
        expected = [
            next(iter(item)) if isinstance(item, dict) and not next(iter(item.values())) else item for item in expected
        ]
    assert outcome.values["markdown_extensions"] == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{toc: {slugify: !!python/name:pymdownx.slugs.uslugify ''}}", Tag(NAME + "pymdownx.slugs.uslugify")),
        (
            "{toc: {slugify: !!python/object/apply:pymdownx.slugs.slugify {kwds: {case: lower}}}}",
            Tag(CALL + "pymdownx.slugs.slugify", {"kwds": {"case": "lower"}}),
        ),
        (
            "{pymdownx.emoji: {emoji_index: !!python/name:materialx.emoji.twemoji }}",
            Tag(NAME + "materialx.emoji.twemoji"),
        ),
        (
            "{pymdownx.emoji: {emoji_generator: !!python/name:pymdownx.emoji.to_png }}",
            Tag(NAME + "pymdownx.emoji.to_png"),
        ),
        ("{pymdownx.snippets: {base_path: !relative }}", Tag("relative")),
        ("{pymdownx.snippets: {base_path: !relative $docs_dir}}", Tag("relative", "$docs_dir")),
        ("{pymdownx.snippets: {base_path: !relative $config_dir/inc}}", Tag("relative", "$config_dir/inc")),
    ],
)
def test_documented_functions_are_written_back(rewriter: Rewriter, text: str, value: Tag) -> None:
    outcome = rewriter.options(f"markdown_extensions: {text}")
    assert outcome.told == []
    extensions = outcome.values["markdown_extensions"]
    assert isinstance(extensions, dict)
    (options,) = extensions.values()
    assert list(options.values()) == [value]


FENCES = "[{pymdownx.superfences: {custom_fences: [{name: x, class: y, format: %s }]}}]"


@pytest.mark.parametrize(
    ("format_", "written"),
    [
        (
            "!!python/name:pymdownx.superfences.fence_div_format",
            Tag(NAME + "pymdownx.superfences.fence_div_format"),
        ),
        (
            "!!python/object/apply:pymdownx.arithmatex.arithmatex_fenced_format {kwds: {mode: generic, tag: pre}}",
            Tag(CALL + "pymdownx.arithmatex.arithmatex_fenced_format", {"kwds": {"mode": "generic", "tag": "pre"}}),
        ),
        (
            "!!python/object/apply:pymdownx.arithmatex.arithmatex_fenced_format []",
            Tag(CALL + "pymdownx.arithmatex.arithmatex_fenced_format", {"kwds": {}}),
        ),
    ],
)
def test_formats_of_fences_are_written_back(rewriter: Rewriter, format_: str, written: Tag) -> None:
    outcome = rewriter.options(f"markdown_extensions: {FENCES % format_}")
    assert outcome.told == []
    assert repr(written) in repr(outcome.values)


@pytest.mark.parametrize(
    "format_",
    [
        "!!python/name:os.system",
        "!!python/name:pymdownx.superfences.fence_code_format x",
        "!!python/name:pymdownx.slugs.uslugify",
        "!!python/name:pymdownx.superfences",
        "!!python/object/apply:pymdownx.superfences.fence_code_format {}",
        "!!python/object/new:os.system [x]",
        "!!python/object:os.system {}",
        "!!python/module:os",
        "!!python/tuple [a]",
        "!python/name:pymdownx.superfences.fence_code_format",
        "pymdownx.superfences.fence_code_format",
        "{a: b}",
    ],
)
def test_other_functions_are_left_out(rewriter: Rewriter, format_: str) -> None:
    outcome = rewriter.options(f"markdown_extensions: {FENCES % format_}")
    ((message, line),) = outcome.told
    assert "'markdown_extensions: pymdownx.superfences: custom_fences: format' was left out" in message
    assert line == 2
    assert outcome.values["markdown_extensions"] == [
        {"pymdownx.superfences": {"custom_fences": [{"name": "x", "class": "y"}]}}
    ]


@pytest.mark.parametrize(
    "arguments",
    ["{args: [x]}", "{kwds: {case: lower}, state: {}}", "{kwds: {mode: shell}}", "{listitems: [x]}"],
)
def test_calls_take_the_documented_arguments_only(rewriter: Rewriter, arguments: str) -> None:
    outcome = rewriter.options(
        f"markdown_extensions: [{{toc: {{slugify: !!python/object/apply:pymdownx.slugs.slugify {arguments}}}}}]"
    )
    assert len(outcome.told) == 1
    assert not any(word in str(outcome.values) for word in ("args", "state", "shell", "listitems"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[os]", "'markdown_extensions: os' was left out: it is not an extension that builds may use"),
        ("[pymdownx.snippets:Other]", "'markdown_extensions: pymdownx.snippets:Other' was left out"),
        ("[markdown.extensions.toc:TocExtension]", "was left out"),
        ("[admonitions]", "did you mean admonition?"),
        ("[pymdownx.tab]", "'markdown_extensions: pymdownx.tab' was left out"),
        ("[{toc: {permalink: yes, evil: 1}}]", "'markdown_extensions: toc: evil' was left out"),
        ("[{a: 1, b: 2}]", "'markdown_extensions: a, b' was left out: it is one item of several keys"),
        ("[{toc: [x]}]", "'markdown_extensions: toc' was left out: it must be options and their values"),
        ("[{pymdownx.snippets: {base_path: [../x]}}]", "base_path' was left out: it leads out"),
        ("[{pymdownx.snippets: {base_path: /etc}}]", "base_path' was left out"),
        ("[{pymdownx.snippets: {base_path: !relative $docs_dir/../..}}]", "base_path' was left out"),
        ("[{pymdownx.snippets: {base_path: !relative ../..}}]", "base_path' was left out"),
        ("[{pymdownx.snippets: {restrict_base_path: false}}]", "restrict_base_path' was left out: it must stay true"),
        ("[{pymdownx.snippets: {url_download: true}}]", "url_download' was left out: it fetches from the network"),
        ("[{pymdownx.snippets: {url_download: 1}}]", "url_download' was left out"),
        ("[{pymdownx.snippets: {encoding: ../x}}]", "encoding' was left out"),
        ("[{pymdownx.emoji: {options: {custom_icons: ['a/**']}}}]", "custom_icons' was left out"),
        ("[{pymdownx.extra: {pymdownx.snippets: {}}}]", "'markdown_extensions: pymdownx.extra: pymdownx.snippets'"),
        ("[{codehilite: {cssfile: x, full: true}}]", "codehilite: cssfile' was left out"),
        ("[{codehilite: {pygments_style: a.b}}]", "pygments_style' was left out"),
        ("[{codehilite: {pygments_formatter: img}}]", "pygments_formatter' was left out: it names code"),
        ("[{plantuml_markdown: {server: 'http://x'}}]", "server' was left out: it sends diagrams to another server"),
        ("[{plantuml_markdown: {priority: 1000}}]", "priority' was left out"),
    ],
)
def test_what_is_left_out_is_told(rewriter: Rewriter, text: str, told: str) -> None:
    outcome = rewriter.options(f"markdown_extensions: {text}")
    assert told in outcome.told[0][0]
    assert {line for _, line in outcome.told} == {2}


def test_class_that_is_documented_for_snippets_is_the_extension(rewriter: Rewriter) -> None:
    outcome = rewriter.options("markdown_extensions: ['pymdownx.snippets:SnippetExtension']")
    assert (outcome.values["markdown_extensions"], outcome.told) == (["pymdownx.snippets"], [])


def test_what_is_allowed_has_no_reason_not_to_be() -> None:
    for name, reasons in REASONS.items():
        assert not set(reasons) & set(EXTENSIONS[name])
