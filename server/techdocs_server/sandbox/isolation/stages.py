"""How a build process isolates itself: all but the last step before it reads anything of its sources.

Stage one (`enter`) leaves the tree writable, for the configuration that is written
there. Stage two (`seal`) makes it read-only, before the first line of anybody
else's code runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from techdocs_server.sandbox.isolation import landlock, privileges, rlimits, seccomp
from techdocs_server.sandbox.isolation.plan import IsolationPlan, Layer
from techdocs_server.sandbox.isolation.system_calls import refusals

EXIT_NOT_ISOLATED = 97
"""Exit code of a process that could not do what its plan says, and did nothing else."""

_DEVICES = {
    "/dev/null": landlock.Access.READ_FILE | landlock.Access.WRITE_FILE,
    # Without them Java gathers chance for ten seconds.
    "/dev/random": landlock.READ,
    "/dev/urandom": landlock.READ,
}


def enter(text: str) -> IsolationPlan:
    """Do what a plan says but for `seal`, and return it; exit when that fails.

    Anything but the plan's own layers is as it was: what else is needed, such as
    bubblewrap, is around this process already.
    """
    try:
        plan = IsolationPlan.from_json(text)
        privileges.die_with_parent()
        privileges.forgo()
        for layer, step in STEPS.items():
            if layer in plan.layers:
                step(plan)
    except (LookupError, TypeError, ValueError, OSError) as error:
        _exit(error)
    return plan


def seal(plan: IsolationPlan) -> None:
    """Make the tree read-only and forget standard input; exit when that fails."""
    try:
        if Layer.LANDLOCK in plan.layers:
            landlock.forbid_changes(except_below=(*plan.writable, "/dev/null"))
        # It may be a socket to the parent, and everything that was in it is read.
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
    except OSError as error:
        _exit(error)


def _apply_rlimits(plan: IsolationPlan) -> None:
    rlimits.apply(plan.limits, programs=plan.programs)


def _apply_landlock(plan: IsolationPlan) -> None:
    toolchain = landlock.RUN if plan.programs else landlock.READ
    landlock.confine(
        {
            **_DEVICES,
            **dict.fromkeys(plan.readable, toolchain),
            **dict.fromkeys((plan.tree, *plan.writable), landlock.WRITE),
        }
    )


def _apply_seccomp(plan: IsolationPlan) -> None:
    scoped = Layer.LANDLOCK in plan.layers and landlock.abi() >= landlock.SCOPE_ABI
    seccomp.install(refusals(programs=plan.programs, forks=plan.workers > 1, signals_are_scoped=scoped))


# The order matters: the filter forbids what the others do.
STEPS: dict[Layer, Callable[[IsolationPlan], None]] = {
    Layer.RLIMITS: _apply_rlimits,
    Layer.LANDLOCK: _apply_landlock,
    Layer.SECCOMP: _apply_seccomp,
}


def _exit(error: Exception) -> None:
    os.write(2, f"the build process cannot isolate itself: {type(error).__name__}: {error}\n".encode())
    os._exit(EXIT_NOT_ISOLATED)
