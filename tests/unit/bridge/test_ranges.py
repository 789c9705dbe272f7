"""Reading ranges, beside a model that knows nothing of numbers: a list with one item for each byte."""

from __future__ import annotations

import time

from hypothesis import example, given
from hypothesis import strategies as st
from techdocs_bridge.ranges import MOST_PARTS, Part, requested_parts

SPACES = st.sampled_from(["", " ", "\t "])
NUMBERS = st.one_of(st.integers(0, 12), st.integers(0, 10**30))


@st.composite
def specs(draw: st.DrawFn) -> tuple[str, int | None, int | None]:
    first, last = draw(st.tuples(st.none() | NUMBERS, st.none() | NUMBERS).filter(lambda pair: pair != (None, None)))
    text = f"{'' if first is None else first}-{'' if last is None else last}"
    return f"{draw(SPACES)}{text}{draw(SPACES)}", first, last


def model(size: int, wanted: list[tuple[str, int | None, int | None]]) -> list[list[int]] | None:
    """Return for each range that can be had the numbers of its bytes; None when all are to be sent."""
    content = list(range(size))
    found = []
    for _, first, last in wanted:
        if first is None:
            assert last is not None
            chosen = content[-min(last, size) :] if last else []
        elif last is not None and last < first:
            return None
        else:
            chosen = [byte for byte in content if first <= byte and (last is None or byte <= last)]
        found.append(chosen)
    found = [chosen for chosen in found if chosen]
    every = [byte for chosen in found for byte in chosen]
    return None if len(set(every)) < len(every) else found


@given(size=st.integers(1, 12), wanted=st.lists(specs(), min_size=1, max_size=6))
@example(size=3, wanted=[("-9", None, 9)])
@example(size=3, wanted=[("0-0", 0, 0), ("2-", 2, None)])
def test_parts_are_those_of_the_model(size: int, wanted: list[tuple[str, int | None, int | None]]) -> None:
    parts = requested_parts("bytes=" + ",".join(text for text, _, _ in wanted), size)
    numbers = None if parts is None else [list(range(part.offset, part.offset + part.length)) for part in parts]
    assert numbers == model(size, wanted)


@given(header=st.text(alphabet="bytes=0123-, \tx", max_size=30), size=st.integers(0, 9))
def test_whatever_is_sent_parts_are_within_the_content(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        for part in requested_parts(text, size) or ():
            assert part.offset >= 0
            assert 1 <= part.length <= size - part.offset


def test_more_ranges_than_the_most_are_the_whole() -> None:
    ranges = [f"{at}-{at}" for at in range(0, 2 * MOST_PARTS + 2, 2)]
    assert requested_parts("bytes=" + ",".join(ranges), 1000) is None
    assert len(requested_parts("bytes=" + ",".join(ranges[:MOST_PARTS]), 1000) or ()) == MOST_PARTS


def test_order_and_gaps_of_a_list_are_kept_and_passed_over() -> None:
    assert requested_parts("bytes=5-6, ,0-1,", 10) == [Part(5, 2), Part(0, 2)]


def test_content_without_bytes_is_always_whole() -> None:
    assert [requested_parts(f"bytes={wanted}", 0) for wanted in ("0-", "0-0", "-1", "5-")] == [None] * 4


def test_long_headers_are_read_in_a_moment() -> None:
    started = time.process_time()
    for text in ("9" * 60_000, "0-1," * 15_000, " " * 60_000, "-" * 60_000, "0-" + "9" * 60_000, "0-0" + " " * 60_000):
        requested_parts(f"bytes={text}", 10)
    assert time.process_time() - started < 1
