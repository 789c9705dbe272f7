"""What reading a configuration finds: warnings that let the build go on, and the problem that ends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_MAX_WARNINGS = 500


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """Something was left out or read in a certain way. ``line`` counts from 1, 0 for none."""

    message: str
    file: str
    line: int


class ConfigProblem(Exception):
    """There is no configuration to build with.

    ``is_refused`` tells what breaks a rule from what is no configuration at all.
    ``line`` counts from 1, 0 for none; ``hint`` says what to write instead.
    """

    def __init__(self, message: str, *, file: str, line: int = 0, hint: str = "", is_refused: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.hint = hint
        self.is_refused = is_refused


@dataclass(slots=True)
class Findings:
    """Collects warnings, at most `_MAX_WARNINGS`; the rest is counted."""

    _warnings: list[ConfigWarning] = field(default_factory=list)
    _uncounted: int = 0

    def add(self, message: str, *, file: str, line: int = 0) -> None:
        """Keep a warning."""
        if len(self._warnings) < _MAX_WARNINGS:
            self._warnings.append(ConfigWarning(message, file, line))
        else:
            self._uncounted += 1

    def __iter__(self) -> Iterator[ConfigWarning]:
        """Every warning in the order found, then one that counts those not kept."""
        yield from self._warnings
        if self._uncounted:
            yield ConfigWarning(f"{self._uncounted} more warnings are not shown", "", 0)
