"""What is wrong with a request, said by field so that its sender can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

# One answer names at most this many faults; a hostile request could hold thousands.
MAX_VIOLATIONS = 20
# Longer names are nobody's typing error, and comparing them would cost quadratic time.
_MAX_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault: the field's path in the request message, as the sender spelt it, and what is wrong with it.

    The field is ``body`` or ``query`` for a fault of the body or the query as a whole.
    """

    field: str
    description: str


class RequestInvalid(Exception):
    """A request that cannot become a message: the sender's fault, HTTP 400."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)[:MAX_VIOLATIONS]
        super().__init__(
            "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in self.violations)
        )


class UnsupportedMediaType(Exception):
    """A body of a type that the route does not read: HTTP 415. Nothing of it was looked at."""

    def __init__(self, content_type: str, supported: tuple[str, ...]) -> None:
        self.content_type = shown(content_type)
        self.supported = supported
        super().__init__(f"The body is {self.content_type!r}; send {' or '.join(supported)}.")


class Violations:
    """Collects faults, so that an answer can name all of them at once."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, field: str, description: str) -> None:
        """Note one fault; past `MAX_VIOLATIONS` raises at once."""
        self._found.append(Violation(shown(field, most=4 * _MAX_NAME_LENGTH), description))
        if len(self._found) >= MAX_VIOLATIONS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise `RequestInvalid` with everything noted so far, if there is anything."""
        if self._found:
            raise RequestInvalid(self._found)


def shown(text: str, *, most: int = _MAX_NAME_LENGTH) -> str:
    """Return the sender's text fit to be repeated: bounded, without control or invisible characters."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:most])
    return clean if len(text) <= most else clean + "…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean X?)`` when a known name is near, else an empty string."""
    if len(name) > _MAX_NAME_LENGTH:
        return ""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""
