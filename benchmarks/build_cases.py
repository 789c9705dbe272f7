"""The cases of ``benchmarks.build``: what is done how often, and beside what.

A plain build of a large site takes minutes. It runs once, and every row of a site
of that size is beside it; those about storing are beside one run of techdocs-cli, in `stored_cases`.
"""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.built_site import Source, copied, corpus, plain_build, plain_peak, served
from benchmarks.pairs import Row, beside, in_turn

_MEBIBYTE = 1024 * 1024
_TARGETS = {
    "cold-20": 0.75, "cold-450": 0.60, "edit-1600": 0.015, "add-1600": 0.35, "memory-450": 1.5,
}  # fmt: skip
EDIT_TARGET_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how often. ``cold``, ``curve`` and ``memory`` are numbers of pages; ``large`` is one."""

    cold: Sequence[int]
    curve: Sequence[int]
    large: int
    memory: int
    rounds: int
    fast_rounds: int
    memory_rounds: int


FULL = Plan(cold=(20, 450), curve=(20, 150, 450), large=1600, memory=450, rounds=3, fast_rounds=7, memory_rounds=2)
QUICK = Plan(cold=(20,), curve=(20,), large=150, memory=150, rounds=1, fast_rounds=1, memory_rounds=1)


class Cases:
    """Measures those cases of a plan that are wanted, by their names."""

    def __init__(self, plan: Plan, wants: Callable[[str], bool]) -> None:
        self._plan = plan
        self._wants = wants

    async def seconds(self, tree: Path | None) -> AsyncIterator[Row]:
        """Yield the rows in seconds. ``tree`` is a real source to measure as well."""
        for pages in self._plan.cold:
            if self._wants(f"cold-{pages}"):
                with corpus(pages) as source:
                    yield await self._cold(f"cold-{pages}", source)
        for pages in self._plan.curve:
            if self._wants(f"edit-{pages}"):
                with corpus(pages) as source:
                    yield await self._edit(f"edit-{pages}", source)
        if tree is not None:
            for case, measured in (("cold-tree", self._cold), ("edit-tree", self._edit)):
                if self._wants(case):
                    with copied(tree) as source:
                        yield await measured(case, source)

    async def large(self) -> AsyncIterator[Row]:
        """Yield the rows in seconds of the large site, all from one server and one plain build."""
        edit, add = (f"{what}-{self._plan.large}" for what in ("edit", "add"))
        if not self._wants(edit) and not self._wants(add):
            return
        with corpus(self._plan.large) as source:
            plain = await plain_build(source)
            async with served(source) as site:
                await site.sync()
                await site.edit()
                if self._wants(edit):
                    yield await self._beside(edit, site.edit, plain, self._plan.fast_rounds)
                if self._wants(add):
                    yield await self._beside(add, site.add, plain, self._plan.rounds)

    async def memory(self) -> Row | None:
        """Return the row of the memory of a cold build, in MiB."""
        pages = self._plan.memory
        case = f"memory-{pages}"
        if not self._wants(case):
            return None
        ours, plain = [], []
        with corpus(pages) as source:
            for _ in range(self._plan.memory_rounds):
                async with served(source) as site:
                    ours.append(await site.peak() / _MEBIBYTE)
                plain.append(await plain_peak(source) / _MEBIBYTE)
        return _row(case, statistics.median(ours), statistics.median(plain))

    async def _cold(self, case: str, source: Source) -> Row:
        async def ours() -> float:
            async with served(source) as site:
                return await site.sync()

        async def plain() -> float:
            return await plain_build(source)

        return await in_turn(case, ours, plain, rounds=self._plan.rounds, better="lower", target=_TARGETS.get(case))

    async def _edit(self, case: str, source: Source) -> Row:
        plain = await plain_build(source)
        async with served(source) as site:
            await site.sync()
            await site.edit()
            return await self._beside(case, site.edit, plain, self._plan.fast_rounds)

    @staticmethod
    async def _beside(case: str, ours: Callable[[], Awaitable[float]], plain: float, rounds: int) -> Row:
        return _row(case, statistics.median([await ours() for _ in range(rounds)]), plain)


def _row(case: str, ours: float, peer: float) -> Row:
    return beside(case, ours, peer, target=_TARGETS.get(case), better="lower")
