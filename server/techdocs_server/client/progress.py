"""Showing how far a publish is: a bar on a terminal, a line elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from techdocs_server.client.publishing import Progress

_UNIT = 1000
_UNITS = ("B", "kB", "MB", "GB")


def readable_bytes(count: int) -> str:
    """Return a number of bytes for people, such as ``1.5 MB``."""
    size, unit = float(count), 0
    while size >= _UNIT and unit < len(_UNITS) - 1:
        size, unit = size / _UNIT, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 file``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def shown_progress(*, is_terminal: bool, quiet: bool) -> Iterator[Progress]:
    """Return the progress that fits where the output goes. ``quiet`` shows nothing, for output that programs read."""
    if quiet:
        yield _Silent()
    elif not is_terminal:
        yield _Lines()
    else:
        columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Bars(*columns, transient=True) as bars:
            yield _Bar(bars)


class _Silent:
    def begins(self, *, contents: int, size_bytes: int) -> None:
        """Show nothing."""

    def sent(self, size_bytes: int) -> None:
        """Show nothing."""


class _Lines:
    def begins(self, *, contents: int, size_bytes: int) -> None:
        """Print what will be sent."""
        click.echo(f"sending {counted(contents, 'file')}, {readable_bytes(size_bytes)}")

    def sent(self, size_bytes: int) -> None:
        """Print nothing: a log needs no line for each chunk."""


class _Bar:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("sending", total=None)

    def begins(self, *, contents: int, size_bytes: int) -> None:
        """Begin the bar, also anew."""
        self._bars.reset(self._task, total=size_bytes)

    def sent(self, size_bytes: int) -> None:
        """Move it."""
        self._bars.advance(self._task, size_bytes)
