"""Whatever an author writes: the rewriting ends in words or in a configuration of allowed keys, and is stable."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs_server.sandbox.config.extension_options import EXTENSIONS
from techdocs_server.sandbox.config.findings import ConfigProblem
from techdocs_server.sandbox.config.keys import KEYS, REASONS, WITHOUT_EFFECT

from tests.support.rewriting import Outcome, Rewriter

ALLOWED_KEYS = {*KEYS, "nav"}
ALLOWED_TAGS = re.compile(
    r"tag:yaml\.org,2002:python/(name|object/apply):(material|materialx|pymdownx|markdown)\.[a-z0-9_.]+|!relative"
)

_names = st.sampled_from(
    [
        *KEYS, *REASONS, *WITHOUT_EFFECT, *EXTENSIONS, "nav", "name", "techdocs-core", "search", "redirects",
        "redirect_maps", "group", "plugins", "custom_fences", "format", "slugify", "base_path", "custom_dir", "icon",
        "index.md", "../x", "!include ./mkdocs.yml", "*include ./*/mkdocs.yml", "https://x.example", "javascript:x",
        "*include **.yml", "*include ", "*include **/*.yml", "x" * 300, "*include " + "x" * 300 + ".yml", "docs/**", "**",
    ]
)  # fmt: skip
_scalars = st.one_of(_names, st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=20))
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(_names, _scalars), inner, max_size=4)
    ),
    max_leaves=20,
)
_options = st.dictionaries(_names, _values, max_size=3)
_listed = st.lists(st.one_of(_names, st.dictionaries(_names, _options, max_size=2)), max_size=4)
# Of the right shape on top, so that what is inside is looked at.
_shaped = st.fixed_dictionaries(
    {},
    optional={
        "markdown_extensions": st.one_of(_listed, st.dictionaries(_names, _options, max_size=3)),
        "plugins": st.one_of(_listed, st.dictionaries(_names, _options, max_size=3)),
        "nav": st.lists(st.one_of(_names, st.dictionaries(_scalars, _values, min_size=1, max_size=1)), max_size=4),
        "extra": _options,
        "theme": _options,
        "validation": _options,
        "extra_css": st.lists(_scalars, max_size=3),
    },
)
_tags = st.sampled_from(
    [
        "!ENV",
        "!relative",
        "!include",
        "!!python/name:os.system",
        "!!python/object/apply:os.getpid",
        "!!set",
        "!x",
        "&a",
        "*a",
        "!!binary",
    ]
)


def rewritten(text: str | bytes) -> Outcome | None:
    """Return what is made of a text, or None when it is refused in words."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Rewriter(Path(folder)).rewrite(text)
        except ConfigProblem:
            return None


def assert_allowed(outcome: Outcome) -> None:
    assert outcome.values.keys() <= ALLOWED_KEYS
    for content in outcome.rewritten.files.values():
        for event in yaml.parse(content):
            assert not isinstance(event, yaml.AliasEvent)
            tag = getattr(event, "tag", None)
            # Tags of plain types are left for the reader to find, but for texts that look like another type.
            assert tag is None or ALLOWED_TAGS.fullmatch(tag), tag


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
def test_any_text_is_refused_in_words_or_rewritten(text: str | bytes) -> None:
    outcome = rewritten(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    if outcome:
        assert_allowed(outcome)


@settings(max_examples=300, deadline=None)
@given(st.one_of(_shaped, st.dictionaries(_names, _values, max_size=2)))
def test_any_options_yield_allowed_keys_and_rewriting_twice_changes_nothing(options: dict[str, object]) -> None:
    outcome = rewritten(yaml.safe_dump({**options, "site_name": "Demo"}, allow_unicode=True))
    if outcome is None:
        return
    assert_allowed(outcome)
    content = outcome.rewritten.files["mkdocs.yml"]
    again = rewritten(content)
    assert again is not None
    assert (again.rewritten.files["mkdocs.yml"], again.warnings) == (content, ())


@settings(max_examples=200, deadline=None)
@given(_names, _tags, _values)
def test_no_tag_gets_through(key: str, tag: str, value: object) -> None:
    dumped = yaml.safe_dump(value, default_flow_style=True, width=10_000).partition("\n...")[0].strip()
    outcome = rewritten(f"site_name: Demo\n? {yaml.safe_dump(key).partition(chr(10))[0]}\n: [{tag} {dumped}]\n")
    if outcome:
        assert_allowed(outcome)
