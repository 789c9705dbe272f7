"""Scripts of edits: drawn from a seed, played against both builds, and made shorter when they fail.

Seeds instead of Hypothesis' own drawing: a script takes ten seconds, and of the
few that there is time for no two should be alike.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.reuse.configurations import CONFIG_EDITS
from tests.reuse.drafts import Draft, Pick
from tests.reuse.edits import CONTENT_EDITS, EDITS
from tests.support.edited_sites import Bench, EditedSite, differences

T = TypeVar("T")

STEPS = 6
# What the next build finds: the last site nearly always, the first one after a rollback, nothing after a loss.
_BASES: Sequence[int | None] = (*[-1] * 8, 0, None)
_NUMBERS = 12
# Kinds of edits that come in many forms are drawn more often.
_FORMS = {
    "option": 5,
    "theme": 2,
    "extensions": 2,
    "navigation": 3,
    "front": 3,
    "link": 3,
    "write_block": 3,
    "asset": 2,
}
# Shortening takes a play for each try.
_MOST_PLAYS = 60


@dataclass(frozen=True)
class Change:
    """One edit, with the numbers that say of what; see `Pick`."""

    name: str
    numbers: Sequence[int]

    def __call__(self, draft: Draft) -> None:
        """Make the edit."""
        EDITS[self.name](draft, Pick(self.numbers))


@dataclass(frozen=True)
class Step:
    """Edits between two builds, and the index of the revision that the build reuses."""

    changes: Sequence[Change]
    base: int | None = -1


@dataclass(frozen=True)
class Script:
    """A site, what is done to it before the first build, and what happens to it then."""

    pages: int
    before: Sequence[Change]
    steps: Sequence[Step]

    @classmethod
    def of_seed(cls, seed: int) -> Script:
        """Draw a script; the same seed gives the same one for as long as the edits stay the same."""
        drawn = random.Random(seed)

        def changes(kinds: Sequence[str], least: int, most: int) -> Sequence[Change]:
            count = drawn.randint(least, most)
            weights = [_FORMS.get(kind, 1) for kind in kinds]
            drawn_kinds = drawn.choices(kinds, weights, k=count)
            return [Change(kind, drawn.choices(range(1000), k=_NUMBERS)) for kind in drawn_kinds]

        before = [*changes(sorted(CONTENT_EDITS), 10, 40), *changes(sorted(CONFIG_EDITS), 0, 6)]
        steps = [Step(changes(sorted(EDITS), 1, 3), drawn.choice(_BASES)) for _ in range(STEPS)]
        return cls(drawn.randint(3, 15), before, steps)

    def play(self, bench: Bench) -> list[str]:
        """Build every state both ways. Return what is different after the first step that has a difference."""
        draft = Draft.of_size(self.pages)
        for change in self.before:
            change(draft)
        revisions: list[EditedSite] = []
        try:
            for number, step in enumerate([Step(()), *self.steps]):
                for change in step.changes:
                    change(draft)
                site = replace(revisions[step.base]) if revisions and step.base is not None else EditedSite()
                ours, plain = bench.both(draft.files(), site)
                if found := differences(ours, plain):
                    return [f"in step {number}:", *found]
                if not ours.failure:
                    revisions.append(site)
        finally:
            for site in revisions:
                if site.state is not None:
                    shutil.rmtree(site.state.parent)
        return []

    def shorter(self) -> Iterator[Script]:
        """Yield scripts with something left out."""
        for number in reversed(range(len(self.steps))):
            yield replace(self, steps=_without(self.steps, number))
        half = len(self.before) // 2
        if half > 1:
            yield replace(self, before=self.before[:half])
            yield replace(self, before=self.before[half:])
        for number in reversed(range(len(self.before))):
            yield replace(self, before=_without(self.before, number))
        for number, step in enumerate(self.steps):
            for left_out in reversed(range(len(step.changes))):
                less = replace(step, changes=_without(step.changes, left_out))
                yield replace(self, steps=[*self.steps[:number], less, *self.steps[number + 1 :]])
        if self.pages > 1:
            yield replace(self, pages=self.pages // 2)


def _without(items: Sequence[T], number: int) -> Sequence[T]:
    return [*items[:number], *items[number + 1 :]]


def shortest(script: Script, fails: Callable[[Script], bool]) -> Script:
    """Return the shortest script found that still fails."""
    best, plays, found = script, 0, True
    while found:
        found = False
        for candidate in best.shorter():
            plays += 1
            if plays > _MOST_PLAYS:
                return best
            if fails(candidate):
                best, found = candidate, True
                break
    return best
