"""Building, beside plain ``mkdocs build`` of the same pages in a fresh process, and beside Backstage's techdocs-cli.

Cases, each with a number of pages behind it: cold (a sync on an empty data
directory), edit (from writing one page's file until readers get the new text),
add (one page more, as edit), memory (what all processes of a cold build take
together at most). ``--only curve`` is edit for every number of pages. The server is
up and ready before the clock starts, as it is for users.

With contents in S3, and beside ``techdocs-cli generate`` and ``publish`` to the same S3
server: unchanged (a sync that finds nothing to do), objects (those that one edited
page adds, beside those that techdocs-cli writes). They need node and npm.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.build_cases import EDIT_TARGET_SECONDS, FULL, QUICK, Cases
from benchmarks.pairs import Options, Row, report
from benchmarks.stored_cases import OBJECTS_TARGET, stored
from benchmarks.techdocs_cli import NAME

_CURVE = "curve"
_MKDOCS = "mkdocs build"


@dataclass(frozen=True)
class BuildOptions(Options):
    """What the command line asks for."""

    tree: Path | None

    def wants(self, case: str) -> bool:
        """Whether a case is to be measured."""
        return super().wants(case) or (self.only == _CURVE and case.startswith("edit-"))


def options() -> BuildOptions:
    """Parse the command line: that of the other benchmarks, and a tree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="a JSON object per row instead of a table")
    parser.add_argument("--only", metavar="CASE", help="measure one case, such as edit-1600")
    parser.add_argument("--quick", action="store_true", help="a minute's worth, less certain")
    parser.add_argument("--tree", metavar="PATH", type=Path, help="measure a source of your own as well")
    parsed = parser.parse_args()
    return BuildOptions(parsed.json, parsed.only, parsed.quick, parsed.tree)


async def measure(chosen: BuildOptions) -> Mapping[tuple[str, str], Sequence[Row]]:
    """Measure the cases; return the rows by their unit and what they are beside."""
    plan = QUICK if chosen.quick else FULL
    cases = Cases(plan, chosen.wants)
    rows: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    async for row in cases.seconds(chosen.tree):
        rows["s", _MKDOCS].append(row)
    async for row in cases.large():
        rows["s", _MKDOCS].append(row)
    async for unit, row in stored(plan.large, chosen.wants, rounds=plan.fast_rounds):
        rows[unit, NAME].append(row)
    if (memory := await cases.memory()) is not None:
        rows["MiB", _MKDOCS].append(memory)
    return rows


def main() -> None:
    """Measure and print, each case in its own unit."""
    chosen = options()
    tables = asyncio.run(measure(chosen)) or {("s", _MKDOCS): ()}
    for (unit, peer), rows in tables.items():
        report(rows, unit=unit, peer=peer, chosen=chosen)
    if chosen.as_json:
        return
    for row in (row for rows in tables.values() for row in rows):
        if row.case == "edit-1600":
            print(f"an edited page of 1,600 is live in {row.ours:.2f} s (target: {EDIT_TARGET_SECONDS:g} s)")
        if row.case.startswith("objects"):
            print(f"an edited page adds {row.ours:.0f} objects (target: {OBJECTS_TARGET} at most)")


if __name__ == "__main__":
    main()
