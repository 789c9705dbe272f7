"""How listings look on a terminal and elsewhere."""

from __future__ import annotations

import io
import sys

import pytest
from techdocs.v1 import sites_pb2
from techdocs_server.client.tables import Columns, moment, show

SITES = [
    sites_pb2.Site(title="[red]not a colour[/red]", current_revision="ab" * 32),
    sites_pb2.Site(title="日本語 " * 60, current_revision="cd" * 32),
]
COLUMNS: Columns[sites_pb2.Site] = {
    "REVISION": lambda site: site.current_revision[:6],
    "TITLE": lambda site: site.title,
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, as_json: bool = False) -> str:
    monkeypatch.setattr(sys, "stdout", stream)
    show(SITES, COLUMNS, as_json=as_json)
    return stream.getvalue()


def test_titles_are_text_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    output = shown(monkeypatch, Terminal())
    assert "[red]not a colour[/red]" in output
    assert "ababab" in output


def test_nothing_is_cut_or_wrapped_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    output = shown(monkeypatch, io.StringIO()).splitlines()
    assert len(output) == 3
    assert output[2] == f"cdcdcd    {SITES[1].title}".rstrip()


def test_json_is_the_same_wherever_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Terminal(), as_json=True) == shown(monkeypatch, io.StringIO(), as_json=True)


def test_time_that_is_not_set_is_nothing() -> None:
    site = sites_pb2.Site()
    assert moment(site.create_time) == ""
    site.create_time.FromSeconds(1_795_000_000)
    assert moment(site.create_time) == "2026-11-18 11:06:40Z"
