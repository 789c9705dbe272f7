"""Hostile code tries to get out of a build's isolation.

For each attack: every layer that claims to stop it does so alone, and with none of them the canary is reached.
"""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs_server.sandbox.isolation.plan import Layer

from tests.support.isolated import Hostile, layers_here, neighbour

LANDLOCK, SECCOMP, BUBBLEWRAP, RLIMITS = Layer.LANDLOCK, Layer.SECCOMP, Layer.BUBBLEWRAP, Layer.RLIMITS
CANARY = "only-the-server-knows"

# How Python and the C library say that the kernel refused.
REFUSALS = re.compile(
    r"PermissionError|FileNotFoundError|ConnectionRefusedError|ProcessLookupError|MemoryError|OSError|"
    r"Operation not permitted|NotADirectoryError|not allowed to raise maximum limit"
)


@dataclass(frozen=True)
class Attack:
    """Code that prints ``data['reached']`` on success, and the layers that each stop it."""

    name: str
    code: str
    stopped_by: tuple[Layer, ...]
    programs: bool = False


SAY = "print(data['reached'])\n"
LIBC = (
    "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "def must(result):\n"
    "    if result == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
    "    return result\n"
)
# Each is followed by SAY.
ATTACKS = [
    Attack(
        "connects over TCP",
        "import socket\nsocket.create_connection(('127.0.0.1', data['tcp']), timeout=2)\n",
        (LANDLOCK, SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "connects to a local socket",
        "import socket\nsocket.socket(socket.AF_UNIX).connect(data['stream'])\n",
        (SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "connects to an abstract socket",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0' + data['abstract'])\n",
        (LANDLOCK, SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "listens",
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n",
        (LANDLOCK, SECCOMP),
    ),
    Attack(
        "opens an io_uring",
        LIBC + "must(libc.syscall(425, 8, ctypes.create_string_buffer(120)))\n",
        (SECCOMP,),
    ),
    Attack("reads a key", "assert data['secret'] in open(data['key']).read()\n", (LANDLOCK, BUBBLEWRAP)),
    Attack(
        "reads another build's file", "assert data['secret'] in open(data['other']).read()\n", (LANDLOCK, BUBBLEWRAP)
    ),
    Attack(
        "reads through a link", "assert data['secret'] in open(data['tree'] + '/link').read()\n", (LANDLOCK, BUBBLEWRAP)
    ),
    Attack(
        "reads through a hard link",
        "import os\nos.link(data['key'], data['output'] + '/key')\nassert data['secret'] in open(data['output'] + '/key').read()\n",
        (LANDLOCK, BUBBLEWRAP),
    ),
    Attack("lists a folder", "import os\nassert os.listdir(os.path.dirname(data['key']))\n", (LANDLOCK, BUBBLEWRAP)),
    Attack(
        "reads a process's environment",
        "assert data['secret'] in open(f\"/proc/{data['process']}/environ\").read()\n",
        (LANDLOCK, BUBBLEWRAP),
    ),
    Attack("makes a file", "open(data['key'] + '.new', 'w').write('x')\n", (LANDLOCK, BUBBLEWRAP)),
    Attack("writes to a file", "open(data['key'], 'a').write('x')\n", (LANDLOCK, BUBBLEWRAP)),
    Attack("removes a file", "import os\nos.remove(data['key'])\n", (LANDLOCK, BUBBLEWRAP)),
    Attack("renames a file", "import os\nos.rename(data['key'], data['key'] + '.new')\n", (LANDLOCK, BUBBLEWRAP)),
    Attack("empties a file", "import os\nos.truncate(data['key'], 0)\n", (LANDLOCK, SECCOMP, BUBBLEWRAP)),
    Attack(
        "changes a file's mode",
        "import os\nos.chmod(data['key'], 0o666)\nif os.stat(data['key']).st_mode & 0o777 != 0o666: raise PermissionError\n",
        (SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "changes a file's time",
        "import os\nos.utime(data['key'], (1, 1))\nif os.stat(data['key']).st_mtime != 1: raise PermissionError\n",
        (SECCOMP, BUBBLEWRAP),
    ),
    Attack("writes to its own source", "open(data['tree'] + '/new', 'w').write('x')\n", (LANDLOCK,)),
    Attack("writes to its toolchain", "open(data['tool'], 'w').write('x')\n", (LANDLOCK, BUBBLEWRAP)),
    Attack(
        "empties its toolchain by reading",
        "import os\nos.open(data['tool'], os.O_RDONLY | os.O_TRUNC)\nif os.stat(data['tool']).st_size: raise PermissionError\n",
        (LANDLOCK, SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "changes its toolchain's modes",
        "import os\nos.chmod(data['tool'], 0o666)\nif os.stat(data['tool']).st_mode & 0o777 != 0o666: raise PermissionError\n",
        (SECCOMP, BUBBLEWRAP),
    ),
    Attack("makes a pipe in the site", "import os\nos.mkfifo(data['output'] + '/pipe')\n", (LANDLOCK, SECCOMP)),
    Attack("makes a link in the site", "import os\nos.symlink('/etc', data['output'] + '/link')\n", (LANDLOCK,)),
    Attack("signals a process", "import os\nos.kill(data['process'], 0)\n", (LANDLOCK, SECCOMP, BUBBLEWRAP)),
    Attack(
        "signals a process beside programs",
        "import os\nos.kill(data['process'], 0)\n",
        (LANDLOCK, SECCOMP, BUBBLEWRAP),
        programs=True,
    ),
    Attack(
        "traces a process",
        LIBC + "must(libc.ptrace(ctypes.c_long(0x4206), ctypes.c_long(data['process']), None, None))\n",
        (LANDLOCK, SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "limits a process",
        "import resource\nresource.prlimit(data['process'], resource.RLIMIT_CORE, (0, 0))\n",
        (SECCOMP, BUBBLEWRAP),
    ),
    Attack(
        "slows a process", "import os\nos.setpriority(os.PRIO_PROCESS, data['process'], 19)\n", (SECCOMP, BUBBLEWRAP)
    ),
    Attack("makes a namespace", LIBC + "must(libc.unshare(0x10000000))\n", (SECCOMP,)),
    Attack(
        "mounts over its folders",
        LIBC + "must(libc.unshare(0x10020000))\nmust(libc.mount(b'x', data['output'].encode(), b'tmpfs', 0, None))\n",
        (LANDLOCK, SECCOMP),
    ),
    Attack("takes memory without a name", "import os\nos.memfd_create('x')\n", (SECCOMP,)),
    Attack(
        "takes memory that is shared",
        LIBC + "made = must(libc.shmget(0, 4096, 0o1600))\nlibc.shmctl(made, 0, None)\n",
        (SECCOMP,),
    ),
    Attack(
        "runs a shell", "import subprocess\nsubprocess.run(['/bin/sh', '-c', ''], check=True)\n", (LANDLOCK, SECCOMP)
    ),
    Attack("forks", "import os\nif os.fork() == 0: os._exit(0)\n", (SECCOMP,)),
    Attack(
        "runs a program of its own",
        "import os, shutil, subprocess\nmine = data['output'] + '/mine'\n"
        "with open('/usr/bin/true', 'rb') as f, open(os.open(mine, os.O_CREAT | os.O_WRONLY, 0o755), 'wb') as g:\n"
        "    shutil.copyfileobj(f, g)\n"
        "subprocess.run([mine], check=True)\n",
        (LANDLOCK,),
        programs=True,
    ),
    Attack("takes more memory", "bytearray(1024**3)\n", (RLIMITS,)),
    Attack("takes more memory beside programs", "bytearray(1024**3)\n", (RLIMITS,), programs=True),
    Attack("takes more memory by mapping", "import mmap\nmmap.mmap(-1, 2 * 1024**3)\n", (RLIMITS, SECCOMP)),
    Attack(
        "takes more memory by mapping beside programs",
        "import mmap\nmmap.mmap(-1, 2 * 1024**3)\n",
        (SECCOMP,),
        programs=True,
    ),
    Attack(
        "takes memory that grows like a stack",
        "import mmap\nmmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100)\n",
        (SECCOMP,),
    ),
    Attack("writes a larger file", "open(data['output'] + '/x', 'wb').write(bytes(9 * 1024**2))\n", (RLIMITS,)),
    Attack("opens more files", "kept = [open('/dev/null') for _ in range(64)]\n", (RLIMITS,)),
    Attack(
        "raises its own limits",
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (65, 65))\n",
        (RLIMITS,),
    ),
    Attack(
        "stays when its parent dies",
        LIBC + "must(libc.prctl(1, 0, 0, 0, 0))\n",
        (SECCOMP,),
    ),
]

stopped = pytest.mark.parametrize(
    ("attack", "layer"),
    [
        pytest.param(attack, layer, id=f"{attack.name}-{layer}")
        for attack in ATTACKS
        for layer in attack.stopped_by
        if layer in layers_here()
    ],
)
each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Everything that an attack may want, outside the folders of its build, but for a link and a tool."""
    key, other, tool = (
        tmp_path / "home/.ssh/id_ed25519",
        tmp_path / "other-build/site/index.html",
        tmp_path / "tools/tool",
    )
    for path in (key, other, tool):
        path.parent.mkdir(parents=True)
        path.write_text(CANARY)
        path.chmod(0o600)
    tree = tmp_path / "build/tree"
    tree.mkdir(parents=True)
    (tree / "link").symlink_to(key)
    # Names of sockets must be short.
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        tempfile.TemporaryDirectory() as names,
        socket.socket(socket.AF_UNIX) as stream,
        socket.socket(socket.AF_UNIX) as abstract,
        neighbour(CANARY=CANARY) as process,
    ):
        stream.bind(f"{names}/stream")
        stream.listen()
        abstract.bind(f"\0techdocs-test-{process}")
        abstract.listen()
        yield {
            "tcp": tcp.getsockname()[1],
            "stream": f"{names}/stream",
            "abstract": f"techdocs-test-{process}",
            "key": str(key),
            "other": str(other),
            "tool": str(tool),
            "process": process,
            "secret": CANARY,
        }


def hostile(tmp_path: Path, attack: Attack, layers: frozenset[Layer]) -> Hostile:
    return Hostile(tmp_path / "build", layers=layers, programs=attack.programs, readable=[tmp_path / "tools"])


@stopped
async def test_layer_stops_an_attack_alone(
    tmp_path: Path, targets: dict[str, object], attack: Attack, layer: Layer
) -> None:
    ended = await hostile(tmp_path, attack, frozenset({layer})).run(attack.code + SAY, **targets)
    assert not ended.has_reached
    assert REFUSALS.search(ended.output), ended.output


@each
async def test_attack_is_stopped_as_builds_run(tmp_path: Path, targets: dict[str, object], attack: Attack) -> None:
    ended = await hostile(tmp_path, attack, layers_here()).run(attack.code + SAY, **targets)
    assert not ended.has_reached
    assert REFUSALS.search(ended.output), ended.output


@each
async def test_attack_is_stopped_where_landlock_is_of_its_first_version(
    tmp_path: Path, targets: dict[str, object], attack: Attack
) -> None:
    child = hostile(tmp_path, attack, layers_here() - {BUBBLEWRAP})
    child.landlock_version = 1
    ended = await child.run(attack.code + SAY, **targets)
    assert not ended.has_reached
    assert REFUSALS.search(ended.output), ended.output


@each
async def test_attack_succeeds_when_nothing_stops_it(
    tmp_path: Path, targets: dict[str, object], attack: Attack
) -> None:
    child = hostile(tmp_path, attack, frozenset())
    child.is_watched = False
    ended = await child.run(attack.code + SAY, **targets)
    assert ended.has_reached, ended.output
