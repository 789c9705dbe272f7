"""What every reader of a configuration is given: where it stands, and how to say that something does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from techdocs_server.sandbox.config.findings import ConfigProblem, Findings
from techdocs_server.sandbox.config.nodes import Node
from techdocs_server.sandbox.config.policy import ConfigPolicy


class Unfit(Exception):
    """A value is not what its place takes, or is not allowed there.

    ``why`` goes on after the name of the place (``must be text``); ``instead``
    says what to write.
    """

    def __init__(self, why: str, *, line: int, instead: str = "", is_refused: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.line = line
        self.instead = instead
        self.is_refused = is_refused


@dataclass(frozen=True, slots=True)
class Reading:
    """One configuration file. ``file`` and ``folder`` (its own) are relative to the tree."""

    tree: Path
    file: str
    policy: ConfigPolicy
    findings: Findings

    @property
    def folder(self) -> PurePosixPath:
        """The folder that the file stands in."""
        return PurePosixPath(self.file).parent


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a configuration file, by the keys that lead to it."""

    reading: Reading
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        """How authors see the place: ``plugins: search: lang``."""
        return ": ".join(self.keys) or self.reading.file

    def under(self, key: str) -> Spot:
        """Return the place below a key."""
        return Spot(self.reading, (*self.keys, key))

    def warn(self, message: str, line: int) -> None:
        """Keep a warning about this file."""
        self.reading.findings.add(message, file=self.reading.file, line=line)

    def left_out(self, why: str, line: int, *, instead: str = "") -> None:
        """Warn that what stands here is not in the new configuration."""
        self.warn(f"'{self}' was left out: it {why}" + (f"; {instead}" if instead else ""), line)

    def problem(self, unfit: Unfit) -> ConfigProblem:
        """Return the end of the build for what does not fit here."""
        return ConfigProblem(
            f"{self} {unfit.why}",
            file=self.reading.file,
            line=unfit.line,
            hint=unfit.instead,
            is_refused=unfit.is_refused,
        )


Reader = Callable[[Node, Spot], object]
"""Returns the value to write for a node. Raises `Unfit`; may warn and leave parts out."""


def kept(reader: Reader, node: Node, spot: Spot) -> Iterator[object]:
    """Yield what a reader makes of a node, or warn and yield nothing."""
    try:
        yield reader(node, spot)
    except Unfit as unfit:
        spot.left_out(unfit.why, unfit.line, instead=unfit.instead)
