"""Text that a build prints, made safe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from techdocs_server.adapters.generators.log_text import CUT_MARK, LineSplitter, MachinePaths, clean_text, cut_text
from techdocs_server.domain.build import MAX_LINE_BYTES


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain — Größe 😀", "plain — Größe 😀"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        ("\x9b1mnew\x1bcreset", "newreset"),
        ("a\tb\x00\x08\x7f\x85c", "a   bc"),
        ("line\u2028break", "line break"),
        ("broken \ud800 half", "broken ? half"),
    ],
)
def test_only_what_can_be_shown_stays(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@given(st.text(max_size=200))
def test_cleaned_text_has_no_control_characters(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in cleaned)


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_long_text_is_cut_at_a_character_and_marked(character: str) -> None:
    cut = cut_text(character * 10_000)
    assert cut.endswith(character + CUT_MARK)
    assert MAX_LINE_BYTES - 4 < len(cut.encode()) <= MAX_LINE_BYTES
    assert cut_text(character * 100) == character * 100


@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(min_value=1, max_value=12))
def test_lines_are_the_same_however_the_stream_is_cut(pieces: list[bytes], limit_bytes: int) -> None:
    splitter = LineSplitter(limit_bytes)
    lines = [line for piece in pieces for line in splitter.feed(piece)] + list(splitter.end())
    *complete, rest = b"".join(pieces).split(b"\n")
    assert lines == [line[:limit_bytes] for line in complete + ([rest] if rest else [])]


PATHS = MachinePaths({"/data/b/tree": "", "/data/b": "tmp", "/opt/py/lib": "python"})


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("The path '/data/b/tree/docs' is missing", "The path 'docs' is missing"),
        ("in /data/b/tree: nothing", "in .: nothing"),
        ("in /data/b/tree/.", "in ."),
        ("/data/b/tree", "."),
        ("'/data/b/tree/'", "'.'"),
        ("/data/b/x and /data/b", "tmp/x and tmp"),
        ("file:///opt/py/lib/os.py:1", "file://python/os.py:1"),
        ("/data/b/tree2/x", "tmp/tree2/x"),
        ("/data/bb/x /srv/data/b/x", "/data/bb/x /srv/data/b/x"),
        ("/data/b/tree/Größe.md", "Größe.md"),
    ],
)
def test_folders_of_this_machine_become_names(text: str, replaced: str) -> None:
    assert PATHS.replaced(text) == replaced
