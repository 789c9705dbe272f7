"""What the server answered, as a table for people or as lines of JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import click
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Item = TypeVar("Item", bound=Message)
Columns = Mapping[str, Callable[[Item], str]]
"""Heading to what stands below it."""

_SHOWN_DIGITS = 12
"""Enough to name a revision among those of a site, and to copy."""


def show(items: Iterable[Item], columns: Columns[Item], *, as_json: bool) -> None:
    """Print items one below the other, each as it comes when they are JSON."""
    if as_json:
        for item in items:
            show_json(item)
        return
    rows = [[column(item) for column in columns.values()] for item in items]
    if sys.stdout.isatty():
        _show_table(list(columns), rows)
    else:
        _show_lines(list(columns), rows)


def show_json(item: Message) -> None:
    """Print a message as proto3 JSON in one line."""
    click.echo(MessageToJson(item, indent=None, always_print_fields_with_no_presence=True))


def short(revision: str) -> str:
    """Return the beginning of a revision."""
    return revision[:_SHOWN_DIGITS]


def moment(time: Timestamp) -> str:
    """Return a time to the second, in UTC; nothing for one that is not set."""
    return time.ToDatetime().strftime("%Y-%m-%d %H:%M:%SZ") if time.seconds else ""


def _show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        # Titles are the authors': square brackets in them are no colours.
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)


def _show_lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that line up, never broken or cut: what reads them splits at two spaces."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
