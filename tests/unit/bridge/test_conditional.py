"""Reading conditions and ranges."""

from __future__ import annotations

import time

import pytest
from techdocs_bridge.conditional import ByteRange, byte_range, entity_tags, none_match_fails


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        (None, ()),
        ("", ()),
        ('"a"', ('"a"',)),
        ('W/"a"', ('"a"',)),
        ('"a", W/"b,c" ,"d"', ('"a"', '"b,c"', '"d"')),
        ("*", ("*",)),
        (' ,"a",, ', ('"a"',)),
        ('""', ('""',)),
        ("a", ()),
        ('"a" b', ()),
        ('w/"a"', ()),
        ('"a b"', ()),
    ],
)
def test_entity_tags_are_read_as_strong_ones(header: str | None, tags: tuple[str, ...]) -> None:
    assert entity_tags(header) == tags


def test_long_broken_headers_are_read_in_a_moment() -> None:
    started = time.process_time()
    for header in ('"a"' + ",  " * 20_000 + "x", '"' * 60_000, 'W/"' * 20_000, " " * 60_000):
        entity_tags(header)
        byte_range(f"bytes={header}")
    assert time.process_time() - started < 1


def test_weak_tag_of_ours_is_compared_weakly() -> None:
    assert none_match_fails('"a"', 'W/"a"')
    assert not none_match_fails(None, '"a"')


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("BYTES = 5-", ByteRange(5, 0)),
        ("bytes=-7", ByteRange(-7, 0)),
        ("bytes=2-9 ", ByteRange(2, 8)),
        ("bytes=9-2", None),
        ("bytes=-0", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("seconds=1-2", None),
        ("bytes=1", None),
        (f"bytes={10**18}-", None),
        (None, None),
    ],
)
def test_one_range_is_read_and_everything_else_is_none(header: str | None, wanted: ByteRange | None) -> None:
    assert byte_range(header) == wanted
