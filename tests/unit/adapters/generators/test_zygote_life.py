"""The beginning and the end of a loaded process, and what becomes of its builds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.fork import ZygoteLost
from techdocs_server.adapters.generators.zygote import Zygote
from techdocs_server.sandbox.launch import ROOT

from tests.support.coded_builds import (
    PYTHON,
    SLEEPER,
    Coder,
    both_run,
    descriptors,
    interpreter,
    pid_of,
    start,
)
from tests.support.processes import children_of, is_running
from tests.support.waiting import eventually


async def test_zygote_killed_during_a_build_takes_all_of_it_along(zygote: Zygote, code: Coder) -> None:
    build = code(SLEEPER + "time.sleep(600)")
    running = asyncio.create_task(build.run(zygote))
    first, forked = await both_run(build)
    os.kill(pid_of(zygote), signal.SIGKILL)
    with pytest.raises(ZygoteLost):
        await running
    await eventually(lambda: not is_running(first) and not is_running(forked), what="the build is gone")


async def test_zygote_killed_before_a_build_says_so(zygote: Zygote, code: Coder) -> None:
    os.kill(pid_of(zygote), signal.SIGKILL)
    with pytest.raises(ZygoteLost):
        await code("").run(zygote)
    await eventually(lambda: not zygote.is_alive, what="the zygote is known to be dead")


async def test_zygote_that_does_not_answer_is_ended(
    zygote: Zygote, code: Coder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("techdocs_server.adapters.generators.fork._ANSWER_SECONDS", 0.2)
    os.kill(pid_of(zygote), signal.SIGSTOP)
    with pytest.raises(ZygoteLost, match="does not answer"):
        await code("").run(zygote)
    await eventually(lambda: not zygote.is_alive, what="the zygote is ended")


async def test_words_of_a_zygote_that_nobody_hears_do_not_stop_it(tmp_path: Path, code: Coder) -> None:
    zygote = await start(tmp_path / "scratch", interpreter(tmp_path / "python", "sys.stderr.write('x' * 500_000)"))
    try:
        assert await code("").run(zygote) == 0
    finally:
        await zygote.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [("sys.exit('no room')", "no room"), ("import os; os._exit(0)", "ended at once"), ("1 / 0", "ZeroDivisionError")],
)
async def test_zygote_that_fails_says_why_and_leaves_nothing(tmp_path: Path, statement: str, problem: str) -> None:
    with pytest.raises(ZygoteLost, match=problem):
        await start(tmp_path / "scratch", interpreter(tmp_path / "python", statement))
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_zygote_that_is_no_program_leaves_nothing(tmp_path: Path) -> None:
    opened = []
    # A loop opens files of its own the first time.
    for _ in range(3):
        with pytest.raises(ZygoteLost, match="cannot be started"):
            await start(tmp_path / "scratch", tmp_path / "missing")
        opened.append(len(descriptors()))
    assert opened[1] == opened[2]
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_zygote_without_a_place_for_its_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ZygoteLost, match="folder"):
        await Zygote.start(PYTHON, scratch=tmp_path / "missing", search_path="", layers=(), programs=False)


async def test_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    starting = asyncio.create_task(start(tmp_path / "scratch", interpreter(tmp_path / "python", "pass")))
    await eventually(lambda: bool(children_of(os.getpid())), what="it is being started")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert list((tmp_path / "scratch").iterdir()) == []
    assert children_of(os.getpid()) == []


async def test_retired_zygote_finishes_its_builds_first(tmp_path: Path, code: Coder) -> None:
    zygote = await start(tmp_path / "scratch")
    build = code("import os, time\nopen('begun', 'w').close()\nwhile not os.path.exists('gate'): time.sleep(0.01)")
    running = asyncio.create_task(build.run(zygote))
    await eventually((build.tree / "begun").exists, what="the hook runs")
    retiring = asyncio.create_task(zygote.retire())
    await asyncio.sleep(0)
    assert not zygote.is_alive
    (build.tree / "gate").touch()
    assert await running == 0
    await retiring
    assert list((tmp_path / "scratch").iterdir()) == []
    assert children_of(os.getpid()) == []


SERVER = """\
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
from techdocs_server.adapters.generators.fork import ForkedBuild
from techdocs_server.adapters.generators.zygote import Zygote
from techdocs_server.sandbox.fork_request import ForkRequest

async def main():
    zygote = await Zygote.start(Path(sys.executable), scratch=Path(sys.argv[2]), search_path="", layers=(), programs=False)
    build = ForkedBuild(ForkRequest.parse(sys.argv[3].encode()), max_output_bytes=10**6)
    await zygote.run(build, on_output=lambda _: None, watch=None)

asyncio.run(main())
"""


@pytest.mark.parametrize("begun", [True, False])
async def test_nothing_outlives_a_server_that_is_killed(tmp_path: Path, code: Coder, begun: bool) -> None:
    build = code(SLEEPER + "time.sleep(600)")
    arguments = [json.dumps([str(ROOT)]), str(tmp_path), build.build().request.to_packet().decode()]
    with subprocess.Popen([sys.executable, "-c", SERVER, *arguments]) as server:
        await eventually(lambda: bool(children_of(server.pid)), what="the zygote is there")
        pids = list(children_of(server.pid))
        if begun:
            pids += await both_run(build)
        server.kill()
        await eventually(lambda: not any(map(is_running, pids)), timeout_seconds=5, what="everything is gone")
