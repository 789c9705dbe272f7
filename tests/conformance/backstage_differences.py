"""What a difference between two answers is that is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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


Found = Mapping[str, Sequence[tuple[str, str, str]]]
"""By the name of a request, each fact that two answers differ in, with Backstage's value and ours."""


def unexplained(name: str, found: Found, rules: Iterable[Difference]) -> list[str]:
    """Say what the answers to a request differ in without a rule that asks for it."""
    about = [known for known in rules if known.patterns_for(name)]
    return [
        f"{fact}: Backstage {theirs!r}, this service {ours!r}"
        for fact, theirs, ours in found[name]
        if not any(known.allows(fact, theirs, ours) for known in about)
    ]


def unneeded(known: Difference, found: Found) -> frozenset[str]:
    """Return the patterns of a rule that no difference needs: these requests are answered as Backstage does."""
    needed = (known.patterns_for(name) for name, facts in found.items() if any(known.allows(*fact) for fact in facts))
    return frozenset(known.requests) - frozenset[str]().union(*needed)


def ruled(rule: str, requests: Sequence[str], *facts: tuple[str, str, str]) -> tuple[Difference, ...]:
    """Return the differences in some facts, each with Backstage's value and ours, that one rule asks for."""
    return tuple(Difference(tuple(requests), *fact, rule) for fact in facts)
