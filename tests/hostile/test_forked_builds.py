"""Hostile code in builds that are forked from a loaded process: as isolated as others, and none of it stays."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import IsolationMode, IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.ports.generator import GenerateRequest
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.isolation.level import Guarantee
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, Layer, Limits

from tests.support.isolated import Hostile, neighbour
from tests.support.launchers import preloaded
from tests.support.processes import children_of, zygotes_of
from tests.support.sites import mkdocs_config, write_files, write_site
from tests.support.waiting import eventually

KERNEL = ALL_LAYERS - {Layer.BUBBLEWRAP}
NONE: frozenset[Layer] = frozenset()
CANARY = "only-the-server-knows"
SMALL = Limits(memory_bytes=512 * 1024**2, tasks=20, processor_seconds=20)

LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
# Each is an expression or statements; reaching the end of it is success.
ATTACKS = {
    "connects over TCP": "import socket\nsocket.create_connection(('127.0.0.1', data['tcp']), timeout=2)",
    "connects to a local socket": "import socket\nsocket.socket(socket.AF_UNIX).connect(data['stream'])",
    "talks to the server through its parent's socket": (
        "import os, stat\n"
        "found = [n for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}') and stat.S_ISSOCK(os.fstat(n).st_mode)]\n"
        "socks = found or [n for n in range(0, 64) if is_socket(n)]\nassert socks"
    ),
    "reads a key": "assert data['secret'] in open(data['key']).read()",
    "reads a process's environment": "assert data['secret'] in open(f\"/proc/{data['process']}/environ\").read()",
    "makes a file": "open(data['key'] + '.new', 'w').write('x')",
    "writes to its own source": "open(data['tree'] + '/new', 'w').write('x')",
    "empties a file": "import os\nos.truncate(data['key'], 7)\nassert os.stat(data['key']).st_size == 7",
    "makes a link in the site": "import os\nos.symlink('/etc', data['output'] + '/link')",
    "signals a process": "import os\nos.kill(data['process'], 0)",
    "signals its zygote": "import os\nos.kill(os.getppid(), 0)",
    "slows its zygote": "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 1)",
    "traces a process": LIBC
    + "assert libc.ptrace(ctypes.c_long(0x4206), ctypes.c_long(data['process']), None, None) == 0",
    "leaves its group": "import os\nif os.fork() == 0:\n    try: os.setsid()\n    except OSError: os._exit(1)\n    os._exit(0)\n"
    "assert os.waitstatus_to_exitcode(os.wait()[1]) == 0",
    "runs a shell": "import subprocess\nsubprocess.run(['/bin/sh', '-c', ''], check=True)",
    "takes shared memory": LIBC + "made = libc.shmget(0, 4096, 0o1600)\nassert made != -1\nlibc.shmctl(made, 0, None)",
    "stays when its parent dies": LIBC + "assert libc.prctl(1, 0, 0, 0, 0) == 0",
    "opens more files": "kept = [open('/dev/null') for _ in range(300)]",
}
# Socket descriptors are looked for by a call, not by /proc, which isolation hides.
HOOK = """\
import json, os, stat
def is_socket(number):
    try: return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError: return False
data = json.loads({data!r})
print("forked", os.getppid())
for name, code in json.loads({attacks!r}).items():
    try:
        exec(code, {{"data": data, "is_socket": is_socket}})
    except BaseException as error:
        print("stopped:", name, type(error).__name__)
    else:
        print("reached:", name)
"""


@asynccontextmanager
async def forking(scratch: Path, **options: object) -> AsyncIterator[MkDocsGenerator]:
    """Run a generator whose builds are forked, and trust authors: their hooks are the hostile code."""
    scratch.mkdir()
    policy = IsolationPolicy(limits=SMALL, **options)  # type: ignore[arg-type]  # a test names what it wants
    generator = MkDocsGenerator(temporary_directory=scratch, policy=ConfigPolicy(rewrites=False), isolation=policy)
    await preloaded(generator)
    try:
        yield generator
    finally:
        await generator.close()
        assert list(scratch.iterdir()) == []
        assert zygotes_of(os.getpid()) == []


class HookedSite:
    """A site below a folder with a hook of some code."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.output = folder / "tree", folder / "output"
        self.lines: list[str] = []
        self.output.mkdir(parents=True)

    async def build(self, generator: MkDocsGenerator, hook: str) -> list[str]:
        write_site(self.tree, config=mkdocs_config(hooks=["hook.py"]))
        write_files(self.tree, {"hook.py": hook})
        request = GenerateRequest(self.tree, self.output, "Demo", timeout_seconds=60)
        await generator.generate(request, log=lambda line: self.lines.append(line.text))
        return self.lines


@pytest.fixture
def site(tmp_path: Path) -> HookedSite:
    return HookedSite(tmp_path / "build")


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[dict[str, object]]:
    key = tmp_path / "home" / "key"
    write_files(key.parent, {"key": CANARY})
    # Names of sockets must be short.
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        tempfile.TemporaryDirectory() as names,
        socket.socket(socket.AF_UNIX) as stream,
        neighbour(CANARY=CANARY) as process,
    ):
        stream.bind(f"{names}/stream")
        stream.listen()
        yield {
            "tcp": tcp.getsockname()[1],
            "stream": f"{names}/stream",
            "key": str(key),
            "process": process,
            "secret": CANARY,
        }


def reached(lines: list[str]) -> set[str]:
    return {line.removeprefix("reached: ") for line in lines if line.startswith("reached: ")}


async def attack(generator: MkDocsGenerator, site: HookedSite, targets: dict[str, object]) -> set[str]:
    data = {**targets, "tree": str(site.tree), "output": str(site.output)}
    lines = await site.build(generator, HOOK.format(data=json.dumps(data), attacks=json.dumps(ATTACKS)))
    assert lines[0] == f"forked {zygotes_of(os.getpid())[0]}"
    assert len([line for line in lines if line.startswith(("reached: ", "stopped: "))]) == len(ATTACKS)
    return reached(lines)


@pytest.mark.parametrize("workers", [1, 2])
async def test_attacks_are_stopped_in_a_forked_build(
    tmp_path: Path, site: HookedSite, targets: dict[str, object], workers: int
) -> None:
    async with forking(tmp_path / "scratch", layers=KERNEL, workers=workers) as generator:
        assert await attack(generator, site, targets) == set()


async def test_attacks_succeed_in_a_forked_build_when_nothing_stops_it(
    tmp_path: Path, site: HookedSite, targets: dict[str, object]
) -> None:
    async with forking(tmp_path / "scratch", layers=NONE) as generator:
        # But for what no fork has: a socket of its zygote.
        found = await attack(generator, site, targets)
    assert set(ATTACKS) - found == {"talks to the server through its parent's socket"}


async def test_program_runs_in_a_forked_build_where_it_is_allowed(tmp_path: Path, site: HookedSite) -> None:
    run = "import subprocess\nprint('reached:', subprocess.run(['sort'], input=b'x', capture_output=True).stdout)\n"
    async with forking(tmp_path / "scratch", layers=KERNEL, programs=True) as generator:
        assert reached(await site.build(generator, run)) == {r"b'x\n'"}


# Each process of it goes on forking. It has an end of its own: the kernel does not bound what root starts.
BOMB = "import os, time\nfor _ in range(8):\n    try: os.fork()\n    except OSError: pass\ntime.sleep(5)\n"
# As many as the parent bears, and more than that.
FORKS = (
    "import os, time\nmade = []\nfor _ in range({count}):\n    pid = os.fork()\n    if pid == 0:\n"
    "        time.sleep(3)\n        os._exit(0)\n    made.append(pid)\n"
    "for pid in made: os.waitpid(pid, 0)\nprint('reached: the end')\n"
)


async def test_fork_bomb_is_ended_and_nothing_of_it_is_left(tmp_path: Path, site: HookedSite) -> None:
    async with forking(tmp_path / "scratch", layers=KERNEL, workers=2) as generator:
        with pytest.raises(BuildStepFailed, match="ran more than 20 processes and threads at once") as caught:
            await site.build(generator, BOMB)
        assert caught.value.reason is BuildFailureReason.LIMIT_EXCEEDED
        [zygote] = zygotes_of(os.getpid())
        await eventually(lambda: not children_of(zygote), what="the bomb is gone")
        assert "Documentation built" in (await HookedSite(tmp_path / "next").build(generator, ""))[-1]


@pytest.mark.parametrize(("count", "is_too_much"), [(10, False), (40, True)])
async def test_number_of_forks_is_what_ends_a_build(
    tmp_path: Path, site: HookedSite, count: int, is_too_much: bool
) -> None:
    async with forking(tmp_path / "scratch", layers=KERNEL, workers=2) as generator:
        if is_too_much:
            with pytest.raises(BuildStepFailed, match="ran more than 20 processes"):
                await site.build(generator, FORKS.format(count=count))
        else:
            assert reached(await site.build(generator, FORKS.format(count=count))) == {"the end"}


async def test_forks_beyond_the_bound_go_on_when_nobody_watches(tmp_path: Path) -> None:
    child = Hostile(tmp_path / "build", layers=KERNEL, workers=2, is_watched=False)
    ended = await child.run(FORKS.format(count=60) + "print(data['reached'])\n")
    assert ended.has_reached, ended.output


async def test_build_that_may_not_fork_does_not(tmp_path: Path, site: HookedSite) -> None:
    async with forking(tmp_path / "scratch", layers=KERNEL) as generator:
        with pytest.raises(BuildStepFailed, match="PermissionError"):
            await site.build(generator, FORKS.format(count=1))


def test_self_test_holds_where_builds_render_in_parallel(tmp_path: Path) -> None:
    policy = IsolationPolicy(mode=IsolationMode.REQUIRE, layers=KERNEL, workers=2)
    generator = MkDocsGenerator(Path(sys.executable), temporary_directory=tmp_path, isolation=policy)
    assert Guarantee.LIMITS not in generator.isolation_level.reached
    assert generator.isolation_level.missing == frozenset()
