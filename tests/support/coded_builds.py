"""Builds that are some code, forked from a zygote of the test's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.generators.fork import ForkedBuild
from techdocs_server.adapters.generators.zygote import Zygote
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.fork_request import ForkRequest
from techdocs_server.sandbox.isolation.plan import IsolationPlan, Layer
from techdocs_server.sandbox.launch import DEFAULT_SEARCH_PATH, environment

from tests.support.processes import children_of, written_pids
from tests.support.sites import mkdocs_config, write_files, write_site
from tests.support.waiting import eventually

PYTHON = Path(sys.executable)


SECCOMP = frozenset({Layer.SECCOMP})


async def start(scratch: Path, python: Path = PYTHON, *, layers: Collection[Layer] = SECCOMP) -> Zygote:
    scratch.mkdir(exist_ok=True)
    return await Zygote.start(python, scratch=scratch, search_path=DEFAULT_SEARCH_PATH, layers=layers, programs=False)


def pid_of(zygote: Zygote) -> int:
    """Return the process of the only zygote that this process has."""
    [pid] = [pid for pid in children_of(os.getpid()) if b"sandbox.zygote" in command_line(pid)]
    return pid


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@dataclass
class Code:
    """A build of a site whose hook is some code, without isolation: it is about the fork."""

    folder: Path
    code: str
    max_output_bytes: int = 10**6

    def __post_init__(self) -> None:
        self.printed = b""
        self.tree, self.home = self.folder / "tree", self.folder / "home"
        write_site(self.tree, config=mkdocs_config(hooks=["hook.py"]))
        write_files(self.tree, {"hook.py": self.code})
        for made in (self.home, self.folder / "output"):
            made.mkdir()

    def build(self, **variables: str) -> ForkedBuild:
        writable = (str(self.folder / "output"), str(self.home))
        plan = IsolationPlan(frozenset(), str(self.tree), writable=writable, readable=())
        job = {
            "tree": str(self.tree),
            "output": str(self.folder / "output"),
            "site_name": "Demo",
            "policy": ConfigPolicy(rewrites=False).to_json(),
        }
        variables = {**environment(PYTHON, private_directory=self.home), **variables}
        return ForkedBuild(ForkRequest(plan.to_json(), job, variables, str(self.home)), self.max_output_bytes)

    async def run(self, zygote: Zygote, **variables: str) -> int:
        return await zygote.run(self.build(**variables), on_output=self._take, watch=None)

    def _take(self, data: bytes) -> None:
        self.printed += data

    @property
    def said(self) -> list[str]:
        """What the hook printed with the mark that sets it off from records."""
        return [line.partition("> ")[2] for line in self.printed.decode().splitlines() if line.startswith("> ")]


Coder = Callable[..., Code]


# The toolchain's interpreter, but for one statement before the zygote's main().
WRAPPER = (
    "#!{python}\nimport os, sys\n"
    "arguments = [a.replace('main()', {statement!r} + '; main()') for a in sys.argv[1:]]\n"
    "os.execv({python!r}, [{python!r}, *arguments])\n"
)


def interpreter(path: Path, statement: str) -> Path:
    path.write_text(WRAPPER.format(python=sys.executable, statement=statement))
    path.chmod(0o755)
    return path


SLEEPER = (
    "import os, time\n"
    "child = os.fork()\n"
    "if child == 0: time.sleep(600)\n"
    "open('pids.new', 'w').write(f'{os.getpid()} {child}')\n"
    "os.rename('pids.new', 'pids')\n"
)


async def both_run(build: Code) -> tuple[int, int]:
    await eventually((build.tree / "pids").exists, what="the hook runs")
    return written_pids(build.tree / "pids")


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}
