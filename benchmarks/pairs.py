"""Running two things in turn and reporting the ratio of their medians.

The machines are noisy and their speed drifts, so ours and the peer alternate, and
only the ratio is worth quoting.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Row:
    """One case: the two medians, their ratio ours/peer, and the target of the ratio, if it has one."""

    case: str
    ours: float
    peer: float
    ratio: float
    target: float | None
    better: Better


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    as_json: bool
    only: str | None
    quick: bool

    def wants(self, case: str) -> bool:
        """Whether a case is to be measured."""
        return self.only is None or self.only == case


def options(description: str | None) -> Options:
    """Parse the command line that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="a JSON object per row instead of a table")
    parser.add_argument("--only", metavar="CASE", help="measure one case")
    parser.add_argument("--quick", action="store_true", help="a minute's worth, less certain")
    parsed = parser.parse_args()
    return Options(parsed.json, parsed.only, parsed.quick)


async def in_turn(
    case: str,
    ours: Callable[[], Awaitable[float]],
    peer: Callable[[], Awaitable[float]],
    *,
    rounds: int,
    better: Better,
    target: float | None = None,
) -> Row:
    """Measure ours, peer, ours, peer ... and return the row. One round before is not counted."""
    await ours()
    await peer()
    figures = [(await ours(), await peer()) for _ in range(rounds)]
    ours_median = statistics.median(mine for mine, _ in figures)
    peer_median = statistics.median(theirs for _, theirs in figures)
    # The median of the pairs' ratios, not the ratio of the medians: a slow moment hits both of a pair.
    ratio = statistics.median(mine / theirs for mine, theirs in figures)
    return Row(case, round(ours_median, 4), round(peer_median, 4), round(ratio, 4), target, better)


def beside(case: str, ours: float, peer: float, *, target: float | None, better: Better) -> Row:
    """Return the row of two figures that were not measured in turn."""
    return Row(case, round(ours, 4), round(peer, 4), round(ours / peer, 4), target, better)


def report(rows: Sequence[Row], *, unit: str, peer: str, chosen: Options) -> None:
    """Print the rows, as a table or as JSON lines that say unit and peer, too."""
    if not rows:
        sys.exit(f"no case is named {chosen.only}")
    if chosen.as_json:
        for row in rows:
            print(json.dumps(asdict(row) | {"unit": unit, "beside": peer}))
        return
    width = max(len(row.case) for row in rows)
    print(f"{'case':{width}}  {f'ours ({unit})':>16}  {f'{peer} ({unit})':>24}  {'ratio':>8}  {'target':>8}  better")
    for row in rows:
        target = "-" if row.target is None else f"{row.target:g}"
        print(f"{row.case:{width}}  {row.ours:16.2f}  {row.peer:24.2f}  {row.ratio:8.3f}  {target:>8}  {row.better}")
