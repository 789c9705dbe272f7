"""The large part of a page, as it is kept and sent."""

from __future__ import annotations

import pytest
from techdocs_server.sandbox.rendering.populating import Rendered, from_bytes, to_bytes
from techdocs_server.sandbox.rendering.records import Body, Head

BODY = Body('<h1 id="a">Ä</h1>\n<p>two\u2028lines</p>\n', [["Ä", "a", 1, [["B", "b", 2, []]]]])


def test_a_body_is_read_as_it_was_written() -> None:
    assert Body.from_bytes(BODY.to_bytes()) == BODY


def test_a_stored_body_is_one_line() -> None:
    assert b"\n" not in BODY.to_bytes()


@pytest.mark.parametrize("content", [b"[1,[]]", b"[]", b'"text"'])
def test_what_is_no_body_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no text|to unpack"):
        Body.from_bytes(content)


def test_a_page_arrives_as_a_worker_sends_it() -> None:
    head = Head("Ä\n", {"tags": "x"}, ("a",), (), (("mkdocs", 30, "two\nlines"),), "digest")
    found = from_bytes(to_bytes(Rendered(BODY.to_bytes(), head)))
    assert found == Rendered(BODY.to_bytes(), head)


def test_a_page_that_cannot_be_used_again_arrives_as_that() -> None:
    assert from_bytes(to_bytes(Rendered(b"", None))) == Rendered(b"", None)
