"""What a worker tells of a page that it wrote."""

from __future__ import annotations

import logging

import pytest
from techdocs_server.sandbox.rendering.written import Written


@pytest.mark.parametrize("entries", [b"", b'{"location":"a/"},{"location":"b/"}', '{"text":"ü\n"}'.encode()])
def test_what_is_sent_is_what_arrives(entries: bytes) -> None:
    written = Written((("mkdocs", logging.WARNING, "two\nlines, 100 %"),), (70_000, 5_000), entries)
    assert Written.from_bytes(written.to_bytes()) == written
