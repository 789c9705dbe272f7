"""Requests for one page with conditions, ranges and codings, and what RFC 9110 makes of them.

``{id}``, ``{br}`` and ``{gzip}`` stand for the tags of the page and of its variants, ``{modified}`` for its date, ``{before}`` and
``{after}`` for the seconds beside it, ``{future}`` for one that has not come, ``{size}`` for its size in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

IDENTITY, BR, GZIP = "id", "br", "gzip"
Span = tuple[int, int]
"""First byte and the one behind the last, as in a slice."""
WHOLE: Span = (0, 10**9)


@dataclass(frozen=True, slots=True)
class ReadingCase:
    """Headers of a request, and the answer: its status, whose bytes and tag it has, and which parts."""

    headers: Sequence[str]
    status: int = 200
    selected: str = IDENTITY
    parts: Sequence[Span] = (WHOLE,)

    @property
    def has_range(self) -> bool:
        """Whether it is a request that HEAD has no likeness of."""
        return any(header.startswith("range:") for header in self.headers)

    def __str__(self) -> str:
        return " & ".join(self.headers) or "nothing"


def _case(*headers: str, status: int = 200, selected: str = IDENTITY, parts: Sequence[Span] = (WHOLE,)) -> ReadingCase:
    return ReadingCase(headers, status, selected, parts)


TAKES_BR = "accept-encoding: br"
BROWSER = "accept-encoding: gzip, deflate, br, zstd"
FIRST_TEN = "range: bytes=0-9"
PAST = "range: bytes={size}-"

CODINGS = (
    _case(),
    _case(TAKES_BR, selected=BR),
    _case(BROWSER, selected=BR),
    _case("accept-encoding: gzip", selected=GZIP),
    _case("accept-encoding: x-gzip", selected=GZIP),
    _case("accept-encoding: br;q=0.2, gzip;q=0.7", selected=GZIP),
    _case("accept-encoding: br;q=0, *", selected=GZIP),
    _case("accept-encoding: gzip", TAKES_BR, selected=BR),
    _case("accept-encoding: *", selected=BR),
    _case("accept-encoding: "),
    _case("accept-encoding: identity"),
    _case("accept-encoding: deflate, zstd"),
    _case("accept-encoding: br;q=0, gzip;q=0.0"),
    _case("accept-encoding: identity;q=1, br;q=0.5"),
    _case("accept-encoding: identity;q=0, gzip", selected=GZIP),
    # Nothing acceptable is left: the page itself all the same (section 12.5.3).
    _case("accept-encoding: identity;q=0"),
    _case("accept-encoding: *;q=0"),
)

NONE_MATCH = (
    _case("if-none-match: {id}", status=304),
    _case("if-none-match: W/{id}", status=304),
    _case('if-none-match: "x", {id}, "y"', status=304),
    _case('if-none-match: "x"', "if-none-match: {id}", status=304),
    _case("if-none-match: *", status=304),
    _case('if-none-match: "x"'),
    _case("if-none-match: unquoted"),
    _case("if-none-match: {br}"),
    _case("if-none-match: {br}", TAKES_BR, status=304, selected=BR),
    _case("if-none-match: W/{br}", BROWSER, status=304, selected=BR),
    _case("if-none-match: {gzip}", BROWSER, status=304, selected=GZIP),
    _case("if-none-match: {gzip}", TAKES_BR, selected=BR),
    # The page itself is good for who takes codings too: what they hold is current.
    _case("if-none-match: {id}", BROWSER, status=304),
    _case("if-none-match: *", TAKES_BR, status=304, selected=BR),
    _case('if-none-match: "x"', BROWSER, selected=BR),
)

DATES = (
    _case("if-modified-since: {modified}", status=304),
    _case("if-modified-since: {after}", status=304),
    _case("if-modified-since: {before}"),
    _case("if-modified-since: {future}"),
    _case("if-modified-since: yesterday"),
    _case("if-modified-since: {modified}", TAKES_BR, status=304, selected=BR),
    _case('if-none-match: "x"', "if-modified-since: {modified}"),
    _case("if-none-match: {id}", "if-modified-since: {before}", status=304),
    _case("if-unmodified-since: {modified}"),
    _case("if-unmodified-since: {after}"),
    _case("if-unmodified-since: {before}", status=412),
    _case("if-unmodified-since: yesterday"),
    _case("if-unmodified-since: {before}", "if-none-match: {id}", status=412),
)

MATCH = (
    _case("if-match: {id}"),
    _case("if-match: *"),
    _case('if-match: "x", {id}'),
    _case('if-match: "x"', status=412),
    _case("if-match: W/{id}", status=412),
    _case("if-match: unquoted", status=412),
    _case("if-match: {br}", status=412),
    _case("if-match: {br}", TAKES_BR, selected=BR),
    _case("if-match: {id}", TAKES_BR, selected=BR),
    _case("if-match: {id}", "if-unmodified-since: {before}"),
    _case('if-match: "x"', "if-unmodified-since: {after}", status=412),
    _case("if-match: {id}", "if-none-match: {id}", status=304),
    _case('if-match: "x"', "if-none-match: {id}", status=412),
)

RANGES = (
    _case("range: bytes=0-0", status=206, parts=[(0, 1)]),
    _case("range: bytes=100-199", status=206, parts=[(100, 200)]),
    _case("range: bytes=1000-", status=206, parts=[(1000, 10**9)]),
    _case("range: bytes=-5", status=206, parts=[(-5, 10**9)]),
    _case("range: bytes=-999999999", status=206),
    _case("range: bytes=0-", status=206),
    _case("range: bytes=100-999999999", status=206, parts=[(100, 10**9)]),
    _case(FIRST_TEN, BROWSER, status=206, parts=[(0, 10)]),
    _case("range: bytes=0-9,20-29", status=206, parts=[(0, 10), (20, 30)]),
    _case("range: bytes=-5, 0-4 ,10-14", status=206, parts=[(-5, 10**9), (0, 5), (10, 15)]),
    _case("range: bytes=0-4,5-9", status=206, parts=[(0, 5), (5, 10)]),
    _case("range: bytes=0-9,{size}-", status=206, parts=[(0, 10)]),
    _case("range: bytes=0-9,5-14"),
    _case("range: bytes=0-9,0-9"),
    _case("range: bytes=" + ",".join(f"{at}-{at}" for at in range(0, 34, 2))),
    _case("range: bytes=9-0"),
    _case("range: bytes=0-9,x"),
    _case("range: lines=0-9"),
    _case("range: lines=0-9", BROWSER, selected=BR),
    _case(FIRST_TEN, "range: bytes=20-29"),
    _case(PAST, status=416),
    _case(PAST, BROWSER, status=416),
    _case("range: bytes=-0", status=416),
    _case("range: bytes={size}-,99999999999999999999999-", status=416),
)

RANGES_WITH_CONDITIONS = (
    _case(FIRST_TEN, "if-range: {id}", status=206, parts=[(0, 10)]),
    _case(FIRST_TEN, "if-range: {id}", BROWSER, status=206, parts=[(0, 10)]),
    _case(FIRST_TEN, "if-range: W/{id}"),
    _case(FIRST_TEN, 'if-range: "x"'),
    _case(FIRST_TEN, "if-range: {br}"),
    # A part of the page is no part of its variant: all of it, as the client takes it.
    _case(FIRST_TEN, "if-range: {br}", TAKES_BR, selected=BR),
    _case(FIRST_TEN, "if-range: {modified}", status=206, parts=[(0, 10)]),
    _case(FIRST_TEN, "if-range: {before}"),
    _case(FIRST_TEN, "if-range: {after}"),
    _case(FIRST_TEN, "if-range: {modified}", TAKES_BR, selected=BR),
    _case("range: bytes=0-9,20-29", "if-range: {id}", status=206, parts=[(0, 10), (20, 30)]),
    _case("if-range: {id}"),
    _case(PAST, 'if-range: "x"'),
    _case(PAST, "if-range: {id}", status=416),
    _case(FIRST_TEN, "if-none-match: {id}", status=304),
    _case(FIRST_TEN, 'if-none-match: "x"', status=206, parts=[(0, 10)]),
    _case(FIRST_TEN, "if-modified-since: {modified}", status=304),
    _case(FIRST_TEN, "if-match: {id}", status=206, parts=[(0, 10)]),
    _case(FIRST_TEN, 'if-match: "x"', status=412),
    _case(FIRST_TEN, "if-unmodified-since: {before}", status=412),
    _case(PAST, "if-none-match: {id}", status=304),
    _case(PAST, 'if-match: "x"', status=412),
)

CASES = (*CODINGS, *NONE_MATCH, *DATES, *MATCH, *RANGES, *RANGES_WITH_CONDITIONS)
