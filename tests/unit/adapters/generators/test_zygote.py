"""Builds that are forked from a loaded process are like builds of their own."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.fork import ZygoteLost
from techdocs_server.adapters.generators.process import OutputTooLarge
from techdocs_server.adapters.generators.zygote import Zygote

from tests.support.coded_builds import (
    SLEEPER,
    Coder,
    both_run,
    descriptors,
    pid_of,
    start,
)
from tests.support.processes import children_of, is_running, written_pids
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("text", "exit_code"),
    [
        ("", 0),
        ("import os; os._exit(7)", 7),
        ("import os; os.kill(os.getpid(), 15)", -15),
        ("import os; os.abort()", -6),
        ("import sys; sys.exit('words')", 1),
    ],
)
async def test_exit_code_of_a_fork_is_that_of_a_process(zygote: Zygote, code: Coder, text: str, exit_code: int) -> None:
    assert await code(text).run(zygote) == exit_code


async def test_fork_has_what_a_new_process_has_of_its_own(zygote: Zygote, code: Coder) -> None:
    text = (
        "import os, random, sys, tempfile, threading\n"
        "print('>', os.environ['HOME'], tempfile.gettempdir(), os.environ.get('ONLY'))\n"
        "print('>', random.random(), tempfile.mktemp())\n"
        "print('>', os.getsid(0) == os.getpgrp() == os.getpid(), threading.active_count(), sys.argv)\n"
    )
    one, other = code(text), code(text)
    await asyncio.gather(one.run(zygote, ONLY="one"), other.run(zygote))
    assert one.said[0] == f"{one.home} {one.home} one"
    assert other.said[0] == f"{other.home} {other.home} None"
    assert not set(one.said[1].split()) & set(other.said[1].split())
    assert one.said[2] == other.said[2] == "True 1 ['mkdocs', 'build']"


async def test_nothing_that_a_build_changes_reaches_the_next_one(zygote: Zygote, code: Coder) -> None:
    await code("import os, markdown, sys\nos.environ['LEFT'] = 'x'\nmarkdown.left = 1\nsys.path.append('/left')\n").run(
        zygote
    )
    second = code(
        "import os, markdown, sys\nprint('>', 'LEFT' in os.environ, hasattr(markdown, 'left'), '/left' in sys.path)"
    )
    await second.run(zygote)
    assert second.said == ["False False False"]


async def test_zygote_has_nothing_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TECHDOCS_CANARY", "only-the-server-knows")
    canary = tmp_path / "canary"
    canary.write_text("only-the-server-knows")
    with canary.open() as file:
        os.set_inheritable(file.fileno(), True)
        zygote = await start(tmp_path / "scratch")
        try:
            pid = pid_of(zygote)
            names = [entry.split(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
            assert sorted(filter(None, names)) == [
                b"DISABLE_MKDOCS_2_WARNING",
                b"HOME",
                b"LANG",
                b"NO_MKDOCS_2_WARNING",
                b"PATH",
                b"TMPDIR",
            ]
            opened = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
            assert str(canary) not in opened
            # Standard streams, of which one is the server's socket, what wakes it, and the selector.
            assert len(opened) == 6
            status = Path(f"/proc/{pid}/status").read_text()
            assert "\nThreads:\t1\n" in status
            assert "\nCapEff:\t0000000000000000\n" in status
            assert "\nNoNewPrivs:\t1\n" in status
            assert "\nSeccomp:\t2\n" in status
        finally:
            await zygote.close()


async def connects(zygote: Zygote, code: Coder) -> bool:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        build = code(
            f"import socket\ntry: socket.create_connection({address!r}, timeout=2); print('> connected')\n"
            "except PermissionError: print('> refused')\n"
        )
        await build.run(zygote)
    assert build.said in (["connected"], ["refused"])
    return build.said == ["connected"]


async def test_zygote_and_its_forks_have_no_network(zygote: Zygote, code: Coder) -> None:
    assert not await connects(zygote, code)


async def test_network_is_there_without_the_filter(tmp_path: Path, code: Coder) -> None:
    zygote = await start(tmp_path / "scratch", layers=())
    try:
        assert await connects(zygote, code)
    finally:
        await zygote.close()


async def test_output_is_bounded(zygote: Zygote, code: Coder) -> None:
    build = code("while True: print('x' * 10_000)", max_output_bytes=100_000)
    with pytest.raises(OutputTooLarge):
        await build.run(zygote)
    assert len(build.printed) <= 100_000
    assert children_of(pid_of(zygote)) == []


async def test_cancelled_twice_still_leaves_nothing(zygote: Zygote, code: Coder) -> None:
    build = code(SLEEPER + "time.sleep(600)")
    running = asyncio.create_task(build.run(zygote))
    first, forked = await both_run(build)
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_running(first)
    await eventually(lambda: not is_running(forked), what="the forked process is gone")


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21])
async def test_cancelled_at_its_beginning_leaves_nothing(zygote: Zygote, code: Coder, turns: int) -> None:
    build = code("import time\ntime.sleep(600)")
    running = asyncio.create_task(build.run(zygote))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await running
    await eventually(lambda: not children_of(pid_of(zygote)), what="the fork is gone")
    assert await code("").run(zygote) == 0


async def test_child_left_behind_is_killed_although_it_holds_the_output(zygote: Zygote, code: Coder) -> None:
    build = code(SLEEPER)
    assert await build.run(zygote) == 0
    _, forked = written_pids(build.tree / "pids")
    await eventually(lambda: not is_running(forked), what="the forked process is gone")


class Alarm:
    """A watch that objects at once."""

    pause_seconds = 0.01

    def look(self, session: int) -> None:
        raise ValueError(session)


async def test_watch_that_objects_ends_the_build(zygote: Zygote, code: Coder) -> None:
    build = code("import time\ntime.sleep(600)")
    with pytest.raises(ValueError, match=r"\d+"):
        await zygote.run(build.build(), on_output=lambda _: None, watch=Alarm())
    assert children_of(pid_of(zygote)) == []


async def test_request_that_is_too_large_is_said_and_harms_nothing(zygote: Zygote, code: Coder) -> None:
    with pytest.raises(ZygoteLost, match="larger than"):
        await code("").run(zygote, LARGE="x" * 200_000)
    assert await code("").run(zygote) == 0


async def test_large_request_is_understood(zygote: Zygote, code: Coder) -> None:
    build = code("import os\nprint('>', len(os.environ['LARGE']))")
    assert await build.run(zygote, LARGE="x" * 120_000) == 0
    assert build.said == ["120000"]


async def test_no_file_stays_open_however_it_ends(zygote: Zygote, code: Coder) -> None:
    await code("").run(zygote)
    before, pid = descriptors(), pid_of(zygote)
    in_zygote = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    for text in ("", "import os; os._exit(3)", "while True: print('x' * 10_000)"):
        try:
            await code(text).run(zygote)
        except OutputTooLarge:
            continue
    with pytest.raises(ZygoteLost):
        await code("").run(zygote, LARGE="x" * 200_000)
    running = asyncio.create_task(code("import time; time.sleep(600)").run(zygote))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    # A transport lets go of its pipe at the next turn.
    await eventually(lambda: descriptors() <= before, what="our files are closed")
    await eventually(lambda: len(list(Path(f"/proc/{pid}/fd").iterdir())) <= in_zygote, what="the zygote's are closed")


async def test_garbage_in_place_of_a_build_harms_nobody_else(zygote: Zygote, code: Coder) -> None:
    # Without descriptors, and with what is no request.
    zygote._socket.send(b"{}")
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, os.fdopen(reading), os.fdopen(writing):
        socket.send_fds(zygote._socket, [b"garbage"], [writing, theirs.fileno()])
        assert await code("").run(zygote) == 0
