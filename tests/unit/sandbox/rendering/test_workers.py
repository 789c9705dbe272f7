"""Work done by forked children."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from techdocs_server.sandbox.launch import ROOT
from techdocs_server.sandbox.rendering import workers
from techdocs_server.sandbox.rendering.workers import WorkerFailed, WorkerLost, in_parallel

from tests.support.processes import children_of, is_running
from tests.support.waiting import eventually


def run(items: int, work: Callable[[int], bytes], *, workers: int = 3, contiguous: bool = False) -> list[bytes]:
    done: list[None] = []
    answers = in_parallel(
        items, work, read=bytes, workers=workers, contiguous=contiguous, done=lambda: done.append(None)
    )
    assert len(done) == items
    return answers


@pytest.mark.parametrize("contiguous", [False, True])
@pytest.mark.parametrize("items", [0, 1, 4, 25])
def test_answers_come_in_the_order_of_the_items(items: int, contiguous: bool) -> None:
    assert run(items, lambda index: b"%d" % index, contiguous=contiguous) == [b"%d" % index for index in range(items)]


def test_items_are_shared_among_processes() -> None:
    pids = run(20, lambda index: str(os.getpid()).encode(), contiguous=True)
    assert len(set(pids)) == 3
    assert str(os.getpid()).encode() not in pids
    assert pids == sorted(pids, key=pids.index), "neighbours are done by one process"


def test_large_answers_arrive_whole() -> None:
    answers = run(12, lambda index: bytes([index]) * 3_000_000)
    assert [(len(answer), answer[0]) for answer in answers] == [(3_000_000, index) for index in range(12)]


def test_the_first_that_failed_is_named() -> None:
    def work(index: int) -> bytes:
        if index in (7, 13):
            raise ValueError
        return b""

    with pytest.raises(WorkerFailed) as caught:
        run(20, work)
    assert caught.value.index == 7


def test_too_little_memory_is_told_as_that() -> None:
    def work(index: int) -> bytes:
        if index == 5:
            raise MemoryError
        return b""

    with pytest.raises(MemoryError):
        run(20, work)


def test_a_worker_that_fails_outside_of_its_work_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError

    monkeypatch.setattr(workers, "die_with_parent", broken)
    with pytest.raises(WorkerLost) as caught:
        run(20, lambda index: b"")
    assert os.waitstatus_to_exitcode(caught.value.status) == 1


def test_a_killed_worker_is_noticed() -> None:
    def work(index: int) -> bytes:
        if index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return b""

    with pytest.raises(WorkerLost) as caught:
        run(20, work)
    assert os.WTERMSIG(caught.value.status) == signal.SIGKILL


def test_nothing_is_left_open_and_nobody_unreaped() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run(20, lambda index: b"x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    # A child that ended and waits to be reaped would be found here, whatever else this process has started.
    with suppress(ChildProcessError):
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    assert children_of(os.getpid()) == []


# Says what its workers are, and is killed while they are busy.
ENDLESS = """\
import os, pathlib, sys, time
from techdocs_server.sandbox.rendering.workers import in_parallel

def work(index):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    while True: time.sleep(0.1)

in_parallel(8, work, read=bytes, workers=2, contiguous=True, done=lambda: None)
"""


async def test_workers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{ENDLESS}", str(tmp_path)]
    with subprocess.Popen(command) as process:
        await eventually(lambda: len(list(tmp_path.iterdir())) == 2, what="both workers are busy")
        process.kill()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    await eventually(lambda: not any(map(is_running, workers)), timeout_seconds=2, what="the workers are gone")


def test_answers_are_read_as_they_arrive() -> None:
    read: list[bytes] = []
    known: list[int] = []

    def note(answer: bytes) -> int:
        read.append(answer)
        return int(answer)

    answers = in_parallel(
        8, lambda index: b"%d" % index, read=note, workers=2, contiguous=True, done=lambda: known.append(len(read))
    )
    assert answers == list(range(8))
    assert known == list(range(1, 9)), "each is read before the next one is told of"


def test_what_was_frozen_before_stays_frozen() -> None:
    gc.collect()
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        run(8, lambda index: b"")
        assert gc.get_freeze_count() >= frozen
    finally:
        gc.unfreeze()
    run(8, lambda index: b"")
    assert gc.get_freeze_count() == 0
