"""The few values that are written with a tag, and where each may stand.

Only functions that documentation of Material for MkDocs or of PyMdown Extensions
tells authors to name, and that do nothing but turn text into markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from techdocs_server.sandbox.config.addresses import inside_tree, leaves_tree
from techdocs_server.sandbox.config.nodes import ListNode, Node, Scalar, Tagged, describe
from techdocs_server.sandbox.config.reading import Reader, Spot, Unfit
from techdocs_server.sandbox.config.schema import constant, flag, list_of, matching, record, word

_NAME = "!!python/name:"
_CALL = "!!python/object/apply:"


@dataclass(frozen=True, slots=True)
class PythonName:
    """A function by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class PythonCall:
    """The result of a function with keyword arguments."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RelativePath:
    """A path that MkDocs resolves for each page."""

    text: str


def _function(names: str, calls: Mapping[str, Mapping[str, Reader]] | None = None) -> Reader:
    """Return a reader of these functions by name, and of calls of others with the arguments listed for them."""
    known, known_calls = frozenset(names.split()), calls or {}

    def read(node: Node, spot: Spot) -> object:
        if not isinstance(node, Tagged):
            raise Unfit(f"must name a function with {_NAME}, not be {describe(node)}", line=node.line)
        name = node.tag.removeprefix(_NAME)
        if node.tag.startswith(_NAME) and name in known and _is_empty(node.content):
            return PythonName(name)
        called = node.tag.removeprefix(_CALL)
        if node.tag.startswith(_CALL) and called in known_calls:
            return PythonCall(called, _arguments(known_calls[called], node.content, spot))
        allowed = ", ".join(sorted([*(_NAME + name for name in known), *(_CALL + name for name in known_calls)]))
        raise Unfit(
            f"uses {node.tag}, which is not allowed there",
            line=node.line,
            instead=f"allowed are: {allowed}",
            is_refused=True,
        )

    return read


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.text


def _arguments(readers: Mapping[str, Reader], content: Node, spot: Spot) -> Mapping[str, object]:
    if _is_empty(content) or (isinstance(content, ListNode) and not content.items):
        return {}
    values = record({"kwds": record(readers)})(content, spot)
    arguments = values.get("kwds", {}) if isinstance(values, dict) else {}
    return arguments if isinstance(arguments, dict) else {}


_SLUGS = "pymdownx.slugs."
_FENCES = "pymdownx.superfences."
_MATH = "pymdownx.arithmatex."

slugify = _function(
    f"{_SLUGS}uslugify {_SLUGS}uslugify_cased {_SLUGS}uslugify_encoded {_SLUGS}uslugify_cased_encoded"
    f" {_SLUGS}gfm {_SLUGS}gfm_encoded markdown.extensions.toc.slugify markdown.extensions.toc.slugify_unicode",
    {
        _SLUGS + "slugify": {
            "case": constant("none", "lower", "lower-ascii", "fold"),
            "percent_encode": flag,
            "normalize": constant("NFC", "NFD", "NFKC", "NFKD"),
        }
    },
)

emoji_index = _function(
    "material.extensions.emoji.twemoji materialx.emoji.twemoji"
    " pymdownx.emoji.twemoji pymdownx.emoji.gemoji pymdownx.emoji.emojione"
)

emoji_generator = _function(
    "material.extensions.emoji.to_svg materialx.emoji.to_svg pymdownx.emoji.to_svg pymdownx.emoji.to_png"
    " pymdownx.emoji.to_svg_sprite pymdownx.emoji.to_png_sprite pymdownx.emoji.to_alt"
)

_MATH_ARGUMENTS: Mapping[str, Reader] = {"mode": constant("generic", "mathjax"), "preview": flag, "tag": word}

fence_format = _function(
    f"{_FENCES}fence_code_format {_FENCES}fence_div_format"
    f" {_MATH}fence_generic_format {_MATH}fence_mathjax_format {_MATH}fence_mathjax_preview_format",
    {_MATH + "arithmatex_fenced_format": _MATH_ARGUMENTS},
)

inline_format = _function(
    f"{_MATH}inline_generic_format {_MATH}inline_mathjax_format {_MATH}inline_mathjax_preview_format",
    {_MATH + "arithmatex_inline_format": _MATH_ARGUMENTS},
)


def relative_path(node: Node, _spot: Spot) -> object:
    """Read ``!relative``, alone or with $docs_dir or $config_dir and a path below it.

    Source: https://www.mkdocs.org/user-guide/configuration/#paths-relative-to-the-current-file-or-site
    """
    if not isinstance(node, Tagged) or node.tag != "!relative" or not isinstance(node.content, Scalar):
        raise Unfit("must be a path", line=node.line)
    start, _, below = node.content.text.partition("/")
    if start not in ("", "$docs_dir", "$config_dir") or inside_tree(below) is None or (below and not start):
        raise leaves_tree(node.line)
    return RelativePath(node.content.text)


def custom_code(formats: Reader) -> Reader:
    """Return a reader of the custom fences or inlines of an extension."""
    return list_of(
        record(
            {"name": matching(r"[^\s`{}]{1,100}", "a language name"), "class": word, "format": formats},
            reasons={"validator": ("names code to run", "")},
        )
    )
