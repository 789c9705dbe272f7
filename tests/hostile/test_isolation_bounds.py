"""Hostile code that runs on, floods, hides or stays: its parent ends it, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.cleanup import remove_folder
from techdocs_server.adapters.generators.group_usage import LimitExceeded
from techdocs_server.adapters.generators.process import OutputTooLarge
from techdocs_server.sandbox.isolation.plan import Layer

from tests.support.isolated import SMALL, Hostile, layers_here
from tests.support.sites import mkdocs_config, write_files
from tests.support.waiting import eventually

NONE: frozenset[Layer] = frozenset()
SAY = "print(data['reached'])\n"


def in_order(layers: frozenset[Layer]) -> str:
    return "+".join(layer for layer in Layer if layer in layers)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a build, removed as the service removes it: whatever is in it."""
    yield tmp_path / "build"
    remove_folder(tmp_path / "build")
    assert not (tmp_path / "build").exists()


@dataclass(frozen=True)
class Flood:
    """Code that goes over a bound which only the parent sees, and what the parent says of it."""

    name: str
    code: str
    problem: str
    programs: bool = False


# Waits to be killed. The kernel stops the first two on its own for all but root, later.
WAIT = "import time\ntime.sleep(4)\n"
FLOODS = [
    Flood(
        "processes",
        "import os, time\n"
        "try:\n"
        "    for _ in range(200):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(5)\n"
        "            os._exit(0)\n"
        "except OSError: pass\n",
        "ran more than 40 processes and threads at once",
        programs=True,
    ),
    Flood(
        "threads",
        "import threading, time\n"
        "threading.stack_size(32768)\n"
        "try:\n"
        "    for _ in range(200): threading.Thread(target=time.sleep, args=(5,), daemon=True).start()\n"
        "except RuntimeError: pass\n",
        "ran more than 40 processes and threads at once",
    ),
    Flood(
        "memory of many processes",
        "import os, time\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        taken = b'x' * (256 * 1024**2)\n"
        "        time.sleep(5)\n"
        "        os._exit(0)\n",
        "used more than 536870912 bytes of memory",
        programs=True,
    ),
    Flood(
        "bytes in many files",
        "for number in range(8): open(f\"{data['output']}/{number}\", 'wb').write(bytes(5 * 1024**2))\n",
        "wrote more than 33554432 bytes",
    ),
    Flood(
        "bytes in its private folder",
        "for number in range(8): open(f\"{data['private']}/{number}\", 'wb').write(bytes(5 * 1024**2))\n",
        "wrote more than 33554432 bytes",
    ),
    Flood(
        "files",
        "for number in range(600): open(f\"{data['output']}/{number}\", 'wb').close()\n",
        "wrote more than 500 files and folders",
    ),
    Flood(
        "folders in folders",
        "import os\nos.chdir(data['output'])\nfor _ in range(400): os.mkdir('d'); os.chdir('d')\n",
        "made folders more than 64 deep",
    ),
    Flood(
        "folders deeper than Python can go",
        "import os\nos.chdir(data['output'])\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\n",
        "made folders more than 64 deep",
    ),
    Flood(
        "files that are removed and open",
        "import os\nkept = []\n"
        "for _ in range(8):\n"
        "    kept.append(open(data['output'] + '/x', 'wb'))\n"
        "    os.remove(data['output'] + '/x')\n"
        "    kept[-1].write(bytes(5 * 1024**2))\n"
        "    kept[-1].flush()\n",
        "wrote more than 33554432 bytes",
    ),
    Flood(
        "files that are removed and mapped",
        "import mmap, os\nkept = []\n"
        "for _ in range(8):\n"
        "    with open(data['output'] + '/x', 'w+b') as file:\n"
        "        file.write(bytes(5 * 1024**2))\n"
        "        file.flush()\n"
        "        file_descriptor = file.fileno()\n"
        "        mapped = __import__('ctypes').CDLL(None).mmap\n"
        "        mapped.restype = __import__('ctypes').c_void_p\n"
        "        kept.append(mapped(None, 4096, 1, 2, file_descriptor, 0))\n"
        "    os.remove(data['output'] + '/x')\n",
        "wrote more than 33554432 bytes",
    ),
]
floods = pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.name)


@floods
async def test_parent_stops_a_flood(folder: Path, flood: Flood) -> None:
    child = Hostile(folder, programs=flood.programs)
    with pytest.raises(LimitExceeded, match=flood.problem):
        await child.run(flood.code + WAIT + SAY)
    await eventually(child.is_gone, timeout_seconds=1, what="everything of the build is gone")


@floods
async def test_flood_ends_by_itself_when_nobody_watches(folder: Path, flood: Flood) -> None:
    child = Hostile(folder, programs=flood.programs, is_watched=False)
    assert (await child.run(flood.code + SAY)).has_reached


async def test_a_file_that_grows_past_its_bound_ends_the_writing(folder: Path) -> None:
    ended = await Hostile(folder).run("open(data['output'] + '/x', 'wb').write(bytes(9 * 1024**2))\n" + SAY)
    assert "File too large" in ended.output


async def test_output_flood_is_cut(folder: Path) -> None:
    child = Hostile(folder, max_output_bytes=1024**2)
    with pytest.raises(OutputTooLarge):
        await child.run("while True: print('x' * 100_000)\n")
    await eventually(child.is_gone, timeout_seconds=1, what="everything of the build is gone")


BURN = "import time\nwhile time.process_time() < 2.5: pass\n"


async def test_processor_time_ends_the_build(folder: Path) -> None:
    limits = replace(SMALL, processor_seconds=1)
    ended = await Hostile(folder, limits=limits, is_watched=False).run(BURN + SAY)
    assert ended.exit_code == -signal.SIGXCPU
    assert not ended.has_reached


async def test_processor_time_ends_a_build_that_ignores_the_warning(folder: Path) -> None:
    limits = replace(SMALL, processor_seconds=1)
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n" + BURN + SAY
    ended = await Hostile(folder, limits=limits, is_watched=False).run(code)
    assert ended.exit_code == -signal.SIGKILL


async def test_processor_time_has_no_end_without_limits(folder: Path) -> None:
    limits = replace(SMALL, processor_seconds=1)
    layers = layers_here() - {Layer.RLIMITS}
    assert (await Hostile(folder, layers=layers, limits=limits, is_watched=False).run(BURN + SAY)).has_reached


SLEEP = "import time\nprint('asleep', flush=True)\ntime.sleep(30)\n"


async def test_sleeper_is_killed_at_the_deadline(folder: Path) -> None:
    child = Hostile(folder)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await child.run(SLEEP)
    await eventually(child.is_gone, timeout_seconds=1, what="the sleeper is gone")


# Leaves its session, twice over, and lives on when its parents have ended.
DAEMON = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    try: os.setsid()\n"
    "    except OSError: pass\n"
    "    if os.fork() == 0:\n"
    "        open(data['output'] + '/started', 'w').close()\n"
    "        time.sleep(20)\n"
    "    os._exit(0)\n"
    "while not os.path.exists(data['output'] + '/started'): time.sleep(0.01)\n"
)


@pytest.mark.parametrize(
    "layers",
    [layers_here(), *(frozenset({layer}) for layer in (Layer.SECCOMP, Layer.BUBBLEWRAP) if layer in layers_here())],
    ids=in_order,
)
async def test_daemon_ends_with_its_build(folder: Path, layers: frozenset[Layer]) -> None:
    child = Hostile(folder, layers=layers, programs=True)
    assert (await child.run(DAEMON + SAY)).has_reached
    await eventually(child.is_gone, timeout_seconds=1, what="the daemon is gone")


async def test_daemon_lives_on_when_nothing_keeps_it(folder: Path) -> None:
    child = Hostile(folder, layers=NONE, programs=True)
    assert (await child.run(DAEMON + SAY)).has_reached
    left = list(child.left())
    assert left
    for pid in left:
        os.kill(pid, signal.SIGKILL)


async def test_build_dies_when_its_server_is_killed(folder: Path) -> None:
    child = Hostile(folder, programs=False)
    started = child.child(SLEEP, {})
    program = "import subprocess, sys; subprocess.run(sys.argv[1:], start_new_session=True, stdin=subprocess.DEVNULL)"
    with subprocess.Popen(
        [sys.executable, "-c", program, *started.arguments],
        cwd=started.directory,
        env=started.environment,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        assert await asyncio.to_thread(server.stdout.readline) == b"asleep\n"
        server.kill()
        await eventually(child.is_gone, timeout_seconds=2, what="the build is gone")


def receiver(address: str | tuple[str, int]) -> socket.socket:
    target = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_DGRAM)
    target.setblocking(False)
    target.bind(address)
    return target


# As a resolver asks for a name: the question reaches whoever answers on that port.
ASK = (
    "import socket\n"
    "question = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + b'\\x07example\\x04test\\x00\\x00\\x01\\x00\\x01'\n"
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(question, ('127.0.0.1', data['port']))\n"
)
NAME_A_PEER = "import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', data['name'])\n"
MESSAGE = (
    "import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendmsg([b'x'], [], 0, data['name'])\n"
)
senders = pytest.mark.parametrize("code", [ASK, NAME_A_PEER, MESSAGE], ids=["UDP", "pair", "message"])


async def arrives(folder: Path, code: str, layers: frozenset[Layer]) -> bool:
    with tempfile.TemporaryDirectory() as names, receiver(("127.0.0.1", 0)) as udp, receiver(f"{names}/d") as local:
        await Hostile(folder, layers=layers).run(code, port=udp.getsockname()[1], name=f"{names}/d")
        heard = False
        for target in (udp, local):
            try:
                heard = bool(target.recv(100)) or heard
            except BlockingIOError:
                continue
        return heard


@senders
@pytest.mark.parametrize(
    "layers",
    [layers_here(), *(frozenset({layer}) for layer in (Layer.SECCOMP, Layer.BUBBLEWRAP) if layer in layers_here())],
    ids=in_order,
)
async def test_message_to_a_name_does_not_arrive(folder: Path, code: str, layers: frozenset[Layer]) -> None:
    assert not await arrives(folder, code, layers)


@senders
async def test_message_arrives_when_nothing_stops_it(folder: Path, code: str) -> None:
    assert await arrives(folder, code, NONE)


async def test_environment_of_the_server_is_not_inherited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TECHDOCS_CANARY", "only-the-server-knows")
    ended = await Hostile(folder).run("import os\nprint(sorted(os.environ), sorted(os.listdir('/')) if 0 else '')\n")
    assert ended.output.startswith(
        "['DISABLE_MKDOCS_2_WARNING', 'HOME', 'LANG', 'NO_MKDOCS_2_WARNING', 'PATH', 'TMPDIR']"
    )


async def test_open_files_of_the_server_are_not_inherited(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("only-the-server-knows")
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        code = (
            "import os\n"
            "for number in range(3, 64):\n"
            "    try: print(os.pread(number, 100, 0))\n"
            "    except OSError: pass\n"
            "print(data['reached'], os.fstat(0).st_rdev == os.stat('/dev/null').st_rdev)\n"
        )
        ended = await Hostile(folder).run(code)
    assert ended.output == "the canary is reached True\n"


async def test_what_builds_need_works_in_isolation(folder: Path) -> None:
    code = (
        "import asyncio, mimetypes, os, pathlib, shutil, ssl, tempfile, threading\n"
        "open(data['output'] + '/page', 'w').write('x')\n"
        "pathlib.Path(data['output'], 'touched').touch()\n"
        "os.stat(data['output'] + '/touched')\n"
        "shutil.copy2(data['output'] + '/page', data['private'] + '/copy')\n"
        "shutil.copytree(data['output'], data['private'] + '/tree')\n"
        "shutil.move(data['private'] + '/tree', data['output'] + '/tree')\n"
        "tempfile.TemporaryDirectory().cleanup()\n"
        "asyncio.run(asyncio.to_thread(mimetypes.guess_type, 'x.svg'))\n"
        "ssl.create_default_context()\n"
    )
    assert (await Hostile(folder).run(code + SAY)).has_reached


HOOK = (
    "from pathlib import Path\n"
    "def on_page_markdown(markdown, page, config, files):\n"
    "    try: return markdown + Path({key!r}).read_text()\n"
    "    except OSError as error: return markdown + type(error).__name__\n"
)
MKDOCS = (
    "import os, sys\n"
    "os.chdir(data['tree'])\n"
    "sys.argv = ['mkdocs', 'build', '-q', '-d', data['output']]\n"
    "from mkdocs.__main__ import cli\n"
    "cli()\n"
)


@pytest.mark.parametrize(("layers", "shown"), [(layers_here(), "Error"), (NONE, "only-the-server-knows")])
async def test_hook_of_a_real_build_reads_nothing_of_the_server(
    folder: Path, tmp_path: Path, layers: frozenset[Layer], shown: str
) -> None:
    key = tmp_path / "key"
    key.write_text("only-the-server-knows")
    child = Hostile(folder, layers=layers, limits=replace(SMALL, memory_bytes=1024**3))
    config = mkdocs_config(hooks=["hook.py"])
    write_files(child.tree, {"mkdocs.yml": config, "hook.py": HOOK.format(key=str(key)), "docs/index.md": "# Home\n\n"})
    ended = await child.run(MKDOCS)
    assert ended.exit_code == 0, ended.output
    page = (child.output / "index.html").read_text()
    assert shown in page
    assert ("only-the-server-knows" in page) == (layers == NONE)


async def test_program_of_the_machine_works_in_isolation_where_it_is_allowed(folder: Path) -> None:
    # As the diagram extensions run dot and plantuml: text in, text out.
    code = "import subprocess\nprint(subprocess.run(['sort'], input=b'b\\na\\n', capture_output=True).stdout)\n"
    assert (await Hostile(folder, programs=True).run(code)).output == "b'a\\nb\\n'\n"
