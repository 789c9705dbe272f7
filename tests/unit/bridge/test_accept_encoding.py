"""Which codings a client takes."""

from __future__ import annotations

import time

import pytest
from techdocs_bridge.accept_encoding import CODING_NAMES, accepted_codings
from techdocs_bridge.gzip_answers import takes_gzip


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, []),
        ("", []),
        ("identity", []),
        ("gzip", ["gzip"]),
        ("br", ["br"]),
        ("gzip, deflate, br, zstd", ["br", "gzip"]),
        ("GZIP", ["gzip"]),
        ("x-gzip", ["gzip"]),
        ("*", ["br", "gzip"]),
        ("br;q=0.5, gzip;q=0.8", ["gzip", "br"]),
        ("br;q=0.8,gzip;q=0.8", ["br", "gzip"]),
        ("br;q=0, gzip", ["gzip"]),
        ("br;q=0, *", ["gzip"]),
        ("gzip;q=0.000", []),
        ("*;q=0", []),
        ("*;q=0, br;q=0.001", ["br"]),
        ("identity;q=0, gzip", ["gzip"]),
        ("identity;q=0", []),
        ("identity;q=1, br;q=0.5", []),
        ("identity;q=0.5, br;q=0.5, gzip;q=0.4", ["br"]),
        ("identity;q=0.5, *;q=0.1", []),
        ("gzip ; q=0.5", ["gzip"]),
        ("gzip;q=1.5", []),
        ("gzip;q=-1, br", ["br"]),
        ("gzip;q=", []),
        ("gzip;level=9", []),
        ("gzip;q=1.000", ["gzip"]),
        ("gzip;q=0.0001", []),
        (",,gzip,,", ["gzip"]),
        ("gzip br", []),
    ],
)
def test_codings_in_the_order_they_are_to_be_tried(header: str | None, expected: list[str]) -> None:
    assert [CODING_NAMES[coding] for coding in accepted_codings(header)] == expected


def test_long_headers_are_read_in_a_moment() -> None:
    started = time.process_time()
    for header in ("gzip," * 12_000, ";" * 60_000, "gzip;q=" + "0" * 60_000, "a" * 60_000):
        accepted_codings(header)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("header", "is_taken"),
    [
        ("gzip", True),
        ("x-gzip", True),
        ("*", True),
        ("", False),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_documents_are_encoded_for_whom_contents_are(header: str, is_taken: bool) -> None:
    assert takes_gzip(header) is is_taken
