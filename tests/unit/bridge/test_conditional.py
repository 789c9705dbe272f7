"""Reading conditions, and what they make of a request."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers
from techdocs_bridge.conditional import (
    Conditions,
    Outcome,
    Validators,
    entity_tags,
    last_modified_second,
    none_match_fails,
    range_applies,
)
from techdocs_bridge.http_dates import http_date

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
MODIFIED = datetime(2026, 11, 24, 11, 0, 0, tzinfo=UTC)
FOUND = Validators(etags=('"a"', '"b"'), last_modified=MODIFIED)
BEFORE, SAME, AFTER = (http_date(MODIFIED + timedelta(seconds=seconds)) for seconds in (-1, 0, 1))
PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED


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
        Conditions.of(Headers({"if-match": header, "if-modified-since": header}), NOW).evaluate(FOUND, is_held=False)
    assert time.process_time() - started < 1


def test_weak_tag_of_ours_is_compared_weakly() -> None:
    assert none_match_fails('"a"', 'W/"a"')
    assert not none_match_fails(None, '"a"')


def outcome(headers: dict[str, str], *, is_held: bool = False, found: Validators = FOUND) -> Outcome:
    return Conditions.of(Headers(headers), NOW).evaluate(found, is_held=is_held)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"a"', PROCEED),
        ('"b"', PROCEED),
        ('"x", "a"', PROCEED),
        ("*", PROCEED),
        ('"x"', FAILED),
        ('W/"a"', FAILED),
        ('W/"a", "b"', PROCEED),
        ("", FAILED),
        ("a", FAILED),
        ('*, "a"', FAILED),
    ],
)
def test_if_match_is_compared_strongly_and_guards(header: str, expected: Outcome) -> None:
    assert outcome({"if-match": header}) is expected


@pytest.mark.parametrize(("date", "expected"), [(BEFORE, FAILED), (SAME, PROCEED), (AFTER, PROCEED), ("x", PROCEED)])
def test_if_unmodified_since(date: str, expected: Outcome) -> None:
    assert outcome({"if-unmodified-since": date}) is expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (BEFORE, PROCEED),
        (SAME, NOT_MODIFIED),
        (AFTER, NOT_MODIFIED),
        (http_date(NOW), NOT_MODIFIED),
        (http_date(NOW + timedelta(seconds=1)), PROCEED),
        ("Tuesday, 24-Nov-26 11:00:00 GMT", NOT_MODIFIED),
        ("Tue Nov 24 11:00:00 2026", NOT_MODIFIED),
        ("Tuesday, 24-Nov-77 11:00:00 GMT", PROCEED),
        ("Tue, 24 Nov 2026 12:00:00 +0100", PROCEED),
        ("Tue, 31 Feb 2026 11:00:00 GMT", PROCEED),
        ("yesterday", PROCEED),
        ("", PROCEED),
    ],
)
def test_if_modified_since(date: str, expected: Outcome) -> None:
    assert outcome({"if-modified-since": date}) is expected


@pytest.mark.parametrize(
    ("headers", "is_held", "expected"),
    [
        ({"if-match": '"x"', "if-none-match": '"a"'}, True, FAILED),
        ({"if-match": '"a"', "if-none-match": '"a"'}, True, NOT_MODIFIED),
        ({"if-match": '"a"', "if-unmodified-since": BEFORE}, False, PROCEED),
        ({"if-unmodified-since": BEFORE, "if-none-match": '"a"'}, True, FAILED),
        ({"if-none-match": '"x"', "if-modified-since": SAME}, False, PROCEED),
        ({"if-none-match": "broken", "if-modified-since": SAME}, False, PROCEED),
        ({"if-unmodified-since": SAME, "if-modified-since": SAME}, False, NOT_MODIFIED),
        ({"if-match": "*", "if-modified-since": SAME}, False, NOT_MODIFIED),
    ],
)
def test_conditions_come_in_the_order_of_the_rfc(headers: dict[str, str], is_held: bool, expected: Outcome) -> None:
    assert outcome(headers, is_held=is_held) is expected


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_dates_say_nothing_of_what_has_none(name: str) -> None:
    assert outcome({name: SAME}, found=Validators(('"a"',), None)) is PROCEED


def test_a_moment_is_told_as_the_second_after_it() -> None:
    assert last_modified_second(MODIFIED) == MODIFIED
    assert last_modified_second(MODIFIED + timedelta(microseconds=1)) == MODIFIED + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("if_range", "takes_codings", "applies"),
    [
        (None, True, True),
        ('"a"', True, True),
        ('W/"a"', False, False),
        ('"x"', False, False),
        ('"a", "b"', False, False),
        (SAME, False, True),
        (SAME, True, False),
        (BEFORE, False, False),
        (AFTER, False, False),
        ("", False, False),
        ("a", False, False),
    ],
)
def test_if_range(if_range: str | None, takes_codings: bool, applies: bool) -> None:
    assert range_applies(if_range, FOUND, NOW, takes_codings=takes_codings) is applies


def test_a_date_that_has_not_come_lets_no_range_stand() -> None:
    assert not range_applies(SAME, FOUND, MODIFIED - timedelta(seconds=1), takes_codings=False)
