"""A process that was forked from a zygote becomes a build: as if it had been started anew for it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from techdocs_server.sandbox.build import build_isolated
from techdocs_server.sandbox.fork_request import ForkRequest


def be_a_build(request: ForkRequest, *, output: int, zygote: int) -> NoReturn:
    """Build, and end this process as the interpreter would; nothing comes back.

    ``output`` is a descriptor of where to print. ``zygote`` is the process this one
    was forked from, and what it dies with.
    """
    code = 1
    try:
        _begin_anew(request, output)
        job = json.dumps({**request.job, "parent": zygote}).encode()
        build_isolated(request.plan, lambda: job)
        code = 0
    except SystemExit as ending:
        code = _exit_code(ending)
    except BaseException:  # whatever it is, this process must not go on as a zygote
        traceback.print_exc()
    finally:
        for step in _LAST_STEPS:
            with contextlib.suppress(BaseException):
                step()
        os._exit(code)


def _begin_anew(request: ForkRequest, output: int) -> None:
    """Take from this process what it has of the zygote, and give it what a started one has of its own."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    # The rest of what is open is closed with the first step of isolation.
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.directory)
    random.seed()
    tempfile.tempdir = None
    tempfile._name_sequence = None  # type: ignore[attr-defined]  # made anew, with random names of its own
    # What the toolchain registered when it was loaded is about folders of the zygote.
    atexit._clear()


def _exit_code(ending: SystemExit) -> int:
    """Return the exit code that the interpreter would have, and say what it would say."""
    if ending.code is None or isinstance(ending.code, int):
        return (ending.code or 0) & 0xFF
    print(ending.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1


# What the interpreter does at its end that others can see, in its order: threads of plugins end, then their last calls.
_LAST_STEPS: tuple[Callable[[], object], ...] = (
    threading._shutdown,  # type: ignore[attr-defined]  # there is no public name
    atexit._run_exitfuncs,
    lambda: sys.stdout.flush(),
    lambda: sys.stderr.flush(),
)
