"""The Markdown extensions authors may use, and the options of each.

Read from the extensions' own sources: an option that reads files outside the
tree, fetches, runs commands, names code, or writes is not here, and `REASONS`
says so to the author. What is left is text, numbers and markup.
"""

from __future__ import annotations

from collections.abc import Mapping

from techdocs_server.sandbox.config.addresses import link, tree_path
from techdocs_server.sandbox.config.reading import Reader
from techdocs_server.sandbox.config.schema import (
    Reason,
    constant,
    data,
    either,
    flag,
    list_of,
    matching,
    only,
    record,
    scalar,
    text,
    whole,
    word,
)
from techdocs_server.sandbox.config.special_values import (
    custom_code,
    emoji_generator,
    emoji_index,
    fence_format,
    inline_format,
    relative_path,
    slugify,
)

Options = Mapping[str, Reader]


_FETCHES: Reason = ("fetches from the network", "copy the text into the documentation folder")
_SERVER: Reason = ("sends diagrams to another server", "commit the picture, or use a mermaid fence")
_COMMAND: Reason = ("runs a command", "ask the operator to turn diagrams on")
_FILES: Reason = ("reads or writes files by any path", "")
_CONFINED: Reason = ("must stay true", "pages may include files of the documentation source only")


def _scalars(names: str) -> Options:
    return dict.fromkeys(names.split(), scalar)


def _data(names: str) -> Options:
    return dict.fromkeys(names.split(), data)


_ENCODING = matching(r"[A-Za-z0-9_-]{1,20}", "the name of an encoding, such as utf-8")
_SNIPPET_PATHS = list_of(either(relative_path, tree_path), or_one=True)
_TYPES = _data("types")
_TABS: Options = {**_scalars("alternate_style combine_header_slug separator"), "slugify": slugify}

# Python-Markdown's own; each may also be written with "markdown.extensions." before it.
_STANDARD: dict[str, Options] = {
    "abbr": _data("glossary"),
    "admonition": {},
    "attr_list": {},
    "codehilite": {
        **_scalars("linenums guess_lang css_class noclasses use_pygments lang_prefix"),
        "pygments_style": word,
    },
    "def_list": {},
    "fenced_code": _scalars("lang_prefix"),
    "footnotes": _scalars(
        "PLACE_MARKER UNIQUE_IDS BACKLINK_TEXT SUPERSCRIPT_TEXT BACKLINK_TITLE SEPARATOR USE_DEFINITION_ORDER"
    ),
    "legacy_attrs": {},
    "legacy_em": {},
    "md_in_html": {},
    "meta": {},
    "nl2br": {},
    "sane_lists": {},
    "smarty": {
        **_scalars("smart_quotes smart_angled_quotes smart_dashes smart_ellipses"),
        **_data("substitutions"),
    },
    "tables": _scalars("use_align_attribute"),
    "toc": {
        **_scalars(
            "marker title title_class toc_class anchorlink anchorlink_class permalink permalink_class"
            " permalink_title permalink_leading baselevel separator toc_depth"
        ),
        "slugify": slugify,
    },
    "wikilinks": _scalars("base_url end_url html_class"),
}

_PYMDOWNX: dict[str, Options] = {
    "pymdownx.arithmatex": {
        **_scalars("smart_dollar generic preview block_tag inline_tag"),
        **_data("tex_inline_wrap tex_block_wrap block_syntax inline_syntax"),
    },
    "pymdownx.b64": {"base_path": tree_path, "root_path": tree_path, "restrict_path": only(True, _CONFINED)},
    "pymdownx.betterem": _scalars("smart_enable"),
    "pymdownx.blocks.admonition": _TYPES,
    "pymdownx.blocks.caption": {**_TYPES, **_scalars("auto_level auto prepend")},
    "pymdownx.blocks.definition": {},
    "pymdownx.blocks.details": _TYPES,
    "pymdownx.blocks.html": _data("custom"),
    "pymdownx.blocks.tab": _TABS,
    "pymdownx.caret": _scalars("smart_insert insert superscript"),
    "pymdownx.critic": _scalars("mode raw_view"),
    "pymdownx.details": {},
    "pymdownx.emoji": {
        **_scalars("title alt remove_variation_selector strict"),
        "emoji_index": emoji_index,
        "emoji_generator": emoji_generator,
        "options": record(
            {
                "custom_icons": list_of(tree_path),
                "image_path": link,
                "non_standard_image_path": link,
                **_scalars("classes size"),
                **_data("attributes"),
            }
        ),
    },
    "pymdownx.escapeall": _scalars("hardbreak nbsp"),
    "pymdownx.fancylists": {**_scalars("inject_style inject_class"), **_data("additional_ordered_styles")},
    "pymdownx.highlight": {
        **_scalars(
            "use_pygments guess_lang css_class noclasses linenums linenums_style linenums_special linenums_class"
            " language_prefix code_attr_on_pre auto_title line_spans anchor_linenums line_anchors"
            " pygments_lang_class stripnl default_lang"
        ),
        **_data("auto_title_map"),
        "pygments_style": word,
        "extend_pygments_lang": list_of(record({"name": text, "lang": text, **_data("options")})),
    },
    "pymdownx.inlinehilite": {
        **_scalars("style_plain_text css_class"),
        "custom_inline": custom_code(inline_format),
    },
    "pymdownx.keys": {**_scalars("separator strict class camel_case"), **_data("key_map")},
    "pymdownx.magiclink": {
        **_scalars(
            "hide_protocol repo_url_shortener social_url_shortener repo_url_shorthand social_url_shorthand"
            " normalize_issue_symbols provider user repo"
        ),
        **_data("shortener_user_exclude labels custom"),
    },
    "pymdownx.mark": _scalars("smart_mark"),
    "pymdownx.pathconverter": {
        **_scalars("absolute tags file_scheme"),
        "base_path": tree_path,
        "relative_path": tree_path,
    },
    "pymdownx.progressbar": _scalars("level_class progress_increment add_classes"),
    "pymdownx.quotes": _scalars("callouts"),
    "pymdownx.saneheaders": {},
    "pymdownx.smartsymbols": _scalars(
        "trademark copyright registered plusminus arrows notequal fractions ordinal_numbers care_of"
    ),
    "pymdownx.snippets": {
        "base_path": _SNIPPET_PATHS,
        "encoding": _ENCODING,
        "check_paths": flag,
        "dedent_subsections": flag,
        "auto_append": list_of(text),
        "restrict_base_path": only(True, _CONFINED),
        "url_download": only(False, _FETCHES),
    },
    "pymdownx.striphtml": {**_scalars("strip_comments strip_js_on_attributes"), **_data("strip_attributes")},
    "pymdownx.superfences": {
        **_scalars("disable_indented_code_blocks css_class preserve_tabs relaxed_headers"),
        "custom_fences": custom_code(fence_format),
    },
    "pymdownx.tabbed": _TABS,
    "pymdownx.tasklist": _scalars("custom_checkbox clickable_checkbox"),
    "pymdownx.tilde": _scalars("smart_delete delete subscript"),
}

_OTHERS: dict[str, Options] = {
    "material.extensions.preview": _data("configurations sources targets"),
    "markdown_inline_graphviz": {},
    "mdx_truly_sane_lists": {"nested_indent": whole(1, 8), "truly_sane": flag},
    "plantuml_markdown": {
        **_scalars("classes alt title remove_inline_svg_size image_maps"),
        "format": constant("png", "svg", "svg_object", "svg_inline", "txt"),
        "theme": word,
    },
}

_PREFIX = "markdown.extensions."
EXTENSIONS: dict[str, Options] = {
    **_STANDARD,
    **{_PREFIX + name: options for name, options in _STANDARD.items()},
    **_PYMDOWNX,
    **_OTHERS,
}

REASONS: dict[str, Mapping[str, Reason]] = {
    "codehilite": {"pygments_formatter": ("names code", "remove it: the output is always HTML")},
    "pymdownx.snippets": dict.fromkeys(("url_max_size", "url_timeout", "url_request_headers", "max_retries"), _FETCHES),
    "plantuml_markdown": {
        **dict.fromkeys(("server", "servers", "kroki_server", "insecure", "http_method"), _SERVER),
        **dict.fromkeys(("cachedir", "config", "base_dir", "encoding"), _FILES),
        "plantuml_cmd": _COMMAND,
    },
}


def _bundle(names: str) -> Options:
    """Options of a bundle of extensions: those of each, under its name."""
    return {name: record(EXTENSIONS[name], reasons=REASONS.get(name)) for name in names.split()}


EXTENSIONS["extra"] = EXTENSIONS[_PREFIX + "extra"] = _bundle(
    "fenced_code footnotes attr_list def_list tables abbr md_in_html"
)
EXTENSIONS["pymdownx.extra"] = _bundle(
    "pymdownx.betterem pymdownx.superfences markdown.extensions.footnotes markdown.extensions.attr_list"
    " markdown.extensions.def_list markdown.extensions.tables markdown.extensions.abbr markdown.extensions.md_in_html"
)
