"""A command and its process group."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.process import ChildCommand, OutputTooLarge, run_in_own_group

from tests.support.processes import is_running
from tests.support.waiting import eventually


class Child:
    """A Python program as a child, and its output."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.output = b""

    async def run(self, program: str, *, standard_input: bytes = b"", max_output_bytes: int = 10**6) -> int:
        command = ChildCommand(
            arguments=(sys.executable, "-I", "-c", program),
            directory=self._folder,
            environment={"ONLY": "this"},
            standard_input=standard_input,
            max_output_bytes=max_output_bytes,
        )
        return await run_in_own_group(command, on_output=self._take)

    def _take(self, data: bytes) -> None:
        self.output += data

    def pids(self) -> list[int]:
        return [int(word) for word in self.output.split()]


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(tmp_path)


async def test_child_reads_its_input_to_the_end_and_has_its_place(child: Child, tmp_path: Path) -> None:
    program = (
        "import os, sys; print(len(sys.stdin.read()), os.getcwd(), os.environ.get('ONLY'), os.getpgrp()==os.getpid())"
    )
    assert await child.run(program, standard_input=b"x" * 300_000) == 0
    assert child.output.decode() == f"300000 {tmp_path} this True\n"


@pytest.mark.parametrize(
    ("program", "code"), [("", 0), ("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 15)", -15)]
)
async def test_exit_code_is_returned_also_when_the_input_was_not_read(child: Child, program: str, code: int) -> None:
    assert await child.run(program, standard_input=b"x" * 300_000) == code


FORKS = "import os, time\npid = os.fork()\nif pid == 0:\n    {child}\n    time.sleep(600)\nprint(pid, flush=True)\n"


async def test_child_left_in_the_group_is_killed_although_it_holds_the_output(child: Child) -> None:
    assert await child.run(FORKS.format(child="pass")) == 0
    (pid,) = child.pids()
    await eventually(lambda: not is_running(pid), what="the forked process is gone")


async def test_process_that_left_the_group_does_not_hold_up_its_end(child: Child) -> None:
    # It ends by itself: what leaves the group is out of reach of its signals.
    program = FORKS.format(child="os.setsid(); time.sleep(3); os._exit(0)")
    async with asyncio.timeout(2.5):
        assert await child.run(program) == 0
    (pid,) = child.pids()
    await eventually(lambda: not is_running(pid), what="the forked process has ended")


async def test_cancelled_twice_still_leaves_nothing(child: Child) -> None:
    running = asyncio.create_task(
        child.run(FORKS.format(child="pass") + "print(os.getpid(), flush=True)\ntime.sleep(600)")
    )
    await eventually(lambda: len(child.pids()) == 2, what="both processes run")
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    forked, first = child.pids()
    assert not is_running(first)
    await eventually(lambda: not is_running(forked), what="the forked process is gone")


async def test_child_that_prints_too_much_is_killed(child: Child) -> None:
    with pytest.raises(OutputTooLarge):
        await child.run("while True: print('x' * 1000)", max_output_bytes=100_000)
    assert len(child.output) <= 100_000


async def test_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    command = ChildCommand(("/no/such/command",), tmp_path, {}, b"", 1)
    with pytest.raises(FileNotFoundError):
        await run_in_own_group(command, on_output=lambda _: None)
