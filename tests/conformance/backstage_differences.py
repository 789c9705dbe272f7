"""What a difference between two answers is that is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact of the answers to some requests that differs on purpose. In the patterns ``*`` stands for any text."""

    requests: tuple[str, ...]
    """Patterns of names of requests; each of them must be needed."""
    fact: str
    theirs: str
    ours: str
    rule: str
    """Why, as a rule of ours."""

    def allows(self, fact: str, theirs: str, ours: str) -> bool:
        """Whether this is about such a difference, whatever the request."""
        return _fits(self.fact, fact) and _fits(self.theirs, theirs) and _fits(self.ours, ours)

    def patterns_for(self, request: str) -> frozenset[str]:
        """Return the patterns that a request's name fits."""
        return frozenset(pattern for pattern in self.requests if _fits(pattern, request))


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.DOTALL) is not None
