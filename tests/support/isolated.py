"""Hostile code in a child that is started and isolated exactly as a build is."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from techdocs_server.adapters.generators.group_usage import GroupWatch
from techdocs_server.adapters.generators.isolation import Isolation, IsolationPolicy, toolchain_paths
from techdocs_server.adapters.generators.process import ChildCommand, run_in_own_group
from techdocs_server.sandbox.isolation.level import IsolationLevel
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, Layer, Limits
from techdocs_server.sandbox.launch import ROOT, environment

PYTHON = Path(sys.executable)
REACHED = "the canary is reached"

# What a build's own main() does, and then the hostile code in its place.
_BUILD_MAIN = "from techdocs_server.sandbox.build import main"
_STAGES = "from techdocs_server.sandbox.isolation.stages import enter, landlock, seal"
_HOSTILE = "{version}; seal(enter(sys.argv[1])); code, data = sys.argv[2:4]; exec(code, {{'data': __import__('json').loads(data)}})"

SMALL = Limits(
    memory_bytes=512 * 1024**2,
    tasks=40,
    processor_seconds=20,
    file_bytes=8 * 1024**2,
    open_files=64,
    written_bytes=32 * 1024**2,
    written_files=500,
)


@cache
def layers_here() -> frozenset[Layer]:
    """Layers that work on this machine: all of the kernel's, and bubblewrap where it is installed and starts."""
    bwrap = shutil.which("bwrap")
    command = [bwrap, "--unshare-all", "--ro-bind", "/", "/", sys.executable, "-c", ""] if bwrap else ["false"]
    starts = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return ALL_LAYERS if starts else ALL_LAYERS - {Layer.BUBBLEWRAP}


@cache
def _readable(programs: bool) -> tuple[str, ...]:
    return toolchain_paths(PYTHON, programs=programs)


@dataclass(frozen=True)
class Ended:
    """How hostile code ended, and everything it printed."""

    exit_code: int
    output: str

    @property
    def has_reached(self) -> bool:
        return REACHED in self.output


@dataclass
class Hostile:
    """Runs code in a child that has folders of its own below ``root``.

    ``landlock_version`` makes the kernel's Landlock an older one, 0 leaves it.
    """

    root: Path
    layers: frozenset[Layer] = field(default_factory=layers_here)
    programs: bool = False
    workers: int = 1
    limits: Limits = SMALL
    readable: Sequence[Path] = ()
    is_watched: bool = True
    max_output_bytes: int = 4 * 1024**2
    landlock_version: int = 0

    def __post_init__(self) -> None:
        self.token = secrets.token_hex(16)
        self.tree, self.output, self.private = (self.root / name for name in ("tree", "output", "private"))
        for folder in (self.tree, self.output, self.private):
            folder.mkdir(parents=True, exist_ok=True)

    async def run(self, code: str, **data: object) -> Ended:
        """Run code, with ``data`` and the names of its folders in the variable ``data``.

        Raises what the watch and the bound on output raise.
        """
        printed = bytearray()
        many = self.programs or self.workers > 1
        watch = GroupWatch(self.limits, (self.output, self.private), many=many)
        exit_code = await run_in_own_group(
            self.child(code, data), on_output=printed.extend, watch=watch if self.is_watched else None
        )
        return Ended(self._isolation.exit_code(exit_code), printed.decode("utf-8", "replace"))

    def child(self, code: str, data: Mapping[str, object]) -> ChildCommand:
        """Return the command that `run` runs."""
        folders = {"tree": str(self.tree), "output": str(self.output), "private": str(self.private)}
        values = json.dumps({**folders, "reached": REACHED, "token": self.token, **data})
        arguments = self._isolation.command("build", code, values, tree=self.tree, writable=(self.output, self.private))
        return ChildCommand(
            arguments=[self._hostile(argument) for argument in arguments],
            directory=self.private,
            environment=environment(PYTHON, private_directory=self.private, programs=self.programs),
            standard_input=b"",
            max_output_bytes=self.max_output_bytes,
        )

    def is_gone(self) -> bool:
        """Whether no process of this code is left, in its group or out of it."""
        return not list(self.left())

    def left(self) -> Iterator[int]:
        """Yield what is left. A process that was forked has the command line of its origin, with our token in it."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if self.token.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                    yield int(path.parent.name)

    def _hostile(self, argument: str) -> str:
        if _BUILD_MAIN not in argument:
            return argument
        older = f"landlock.abi = lambda: {self.landlock_version}" if self.landlock_version else "pass"
        return argument.replace(_BUILD_MAIN, _STAGES).replace("main()", _HOSTILE.format(version=older))

    @property
    def _isolation(self) -> Isolation:
        return Isolation(
            IsolationPolicy(limits=self.limits, programs=self.programs, workers=self.workers, layers=self.layers),
            python=PYTHON,
            readable=(*_readable(self.programs), *map(str, self.readable)),
            bwrap=Path(shutil.which("bwrap") or "") if Layer.BUBBLEWRAP in self.layers else None,
            level=IsolationLevel(self.layers),
        )


@contextlib.contextmanager
def neighbour(**variables: str) -> Iterator[int]:
    """Run another process of the same user, without capabilities, with some environment; yield its id."""
    program = (
        f"import sys; sys.path.append({str(ROOT)!r}); from techdocs_server.sandbox.isolation.privileges import forgo; "
        "forgo(); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [PYTHON, "-I", "-c", program], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process.pid
        finally:
            process.kill()
