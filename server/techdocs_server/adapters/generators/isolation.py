"""Starting builds in isolation: what the operator asks for, what this machine gives, and the command that does it."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import remove_folder
from techdocs_server.adapters.generators.toolchain import ToolchainUnusable, ask
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.sandbox.isolation import bubblewrap, self_test
from techdocs_server.sandbox.isolation.level import IsolationLevel
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, IsolationPlan, Layer, Limits
from techdocs_server.sandbox.launch import command, environment


class IsolationMode(enum.StrEnum):
    """What to do where this machine cannot isolate builds fully."""

    REQUIRE = "require"
    """Refuse to build."""
    DEGRADED = "degraded"
    """Build with what there is, and say so."""


@dataclass(frozen=True, slots=True)
class IsolationPolicy:
    """What the operator asks for.

    ``programs`` lets builds start programs of this machine, for diagrams;
    ``readable`` are further files and folders that they may read, and run with
    ``programs``. ``workers`` are the processes in which a build renders at once. ``bwrap`` is the command bubblewrap, None for the one on PATH.
    ``layers`` leaves mechanisms out, for tests and for machines where one does harm.
    """

    mode: IsolationMode = IsolationMode.DEGRADED
    limits: Limits = field(default_factory=Limits)
    programs: bool = False
    workers: int = 1
    readable: tuple[Path, ...] = ()
    bwrap: Path | None = None
    layers: frozenset[Layer] = ALL_LAYERS


class Isolation:
    """A policy as this machine carries it out."""

    def __init__(
        self,
        policy: IsolationPolicy,
        *,
        python: Path,
        readable: tuple[str, ...],
        bwrap: Path | None,
        level: IsolationLevel,
    ) -> None:
        self._policy = policy
        self._python = python
        self._readable = readable
        self._bwrap = bwrap
        self.level = level

    @classmethod
    def measured(cls, policy: IsolationPolicy, *, python: Path, scratch: Path, search_path: str) -> Isolation:
        """Try out what holds, in a child that is started like a build.

        ``scratch`` is a folder where builds have theirs; nothing stays in it. Blocks
        for less than a second as a rule. Raises `ToolchainUnusable`.
        """
        bwrap = policy.bwrap or bubblewrap.find()
        if bwrap is None or Layer.BUBBLEWRAP not in policy.layers:
            unwrapped = replace(policy, layers=policy.layers - {Layer.BUBBLEWRAP})
            absent = {Layer.BUBBLEWRAP: "the command bwrap is not installed"} if bwrap is None else {}
            return cls._tried(unwrapped, python, None, scratch, search_path, absent)
        try:
            return cls._tried(policy, python, bwrap, scratch, search_path, {})
        except ToolchainUnusable as error:
            unwrapped = replace(policy, layers=policy.layers - {Layer.BUBBLEWRAP})
            return cls._tried(unwrapped, python, None, scratch, search_path, {Layer.BUBBLEWRAP: str(error)})

    @classmethod
    def _tried(
        cls,
        policy: IsolationPolicy,
        python: Path,
        bwrap: Path | None,
        scratch: Path,
        search_path: str,
        absent: Mapping[Layer, str],
    ) -> Isolation:
        untried = IsolationLevel(policy.layers)
        readable = (*toolchain_paths(python, programs=policy.programs), *map(str, policy.readable))
        isolation = cls(policy, python=python, readable=readable, bwrap=bwrap, level=untried)
        isolation.level = isolation._measure(scratch, search_path, absent)
        return isolation

    def command(
        self, module: str, *arguments: str, tree: Path, writable: Sequence[Path], readable: Sequence[Path] = ()
    ) -> Sequence[str]:
        """Return the command line that runs a module of the sandbox isolated; its last argument is no plan but yours."""
        plan = self.plan(tree=tree, writable=writable, readable=readable)
        prefix = bubblewrap.prefix(self._bwrap, plan) if self._bwrap else ()
        return (*prefix, *command(self._python, module, plan.to_json(), *arguments))

    def exit_code(self, code: int) -> int:
        """Return the exit code of what was started, negative for a signal."""
        return bubblewrap.exit_code(code) if self._bwrap else code

    @property
    def limits(self) -> Limits:
        """Bounds of every build."""
        return self._policy.limits

    @property
    def programs(self) -> bool:
        """Whether builds may start programs."""
        return self._policy.programs

    @property
    def workers(self) -> int:
        """In how many processes a build renders at once."""
        return self._policy.workers

    @property
    def shares_process_ids(self) -> bool:
        """Whether a build sees us as its parent; bubblewrap gives it a world of its own, which ends with its parent."""
        return self._bwrap is None

    def require(self) -> None:
        """Raise `BuildStepFailed` when the policy requires what does not hold."""
        missing = self.level.missing
        if self._policy.mode is IsolationMode.REQUIRE and missing:
            raise BuildStepFailed(
                f"builds cannot be isolated on this machine; what does not hold: {', '.join(sorted(missing))}",
                reason=BuildFailureReason.ISOLATION_UNAVAILABLE,
                hint=(
                    "run the server where the kernel offers Landlock (Linux 5.13 or newer, lsm=landlock) and seccomp, "
                    "or set build_isolation to degraded if you trust every author"
                ),
            )

    @property
    def can_be_forked(self) -> bool:
        """Whether a process isolates itself with nothing around it, and so can be forked from one that has loaded much."""
        return self._bwrap is None

    def plan(self, *, tree: Path, writable: Sequence[Path], readable: Sequence[Path]) -> IsolationPlan:
        """Return what is enforced on a process with these folders."""
        return IsolationPlan(
            layers=self.level.layers,
            tree=str(tree.absolute()),
            writable=tuple(str(folder.absolute()) for folder in writable),
            readable=(*self._readable, *(str(folder.absolute()) for folder in readable)),
            programs=self._policy.programs,
            workers=self._policy.workers,
            limits=self._policy.limits,
        )

    def _measure(self, scratch: Path, search_path: str, absent: Mapping[Layer, str]) -> IsolationLevel:
        folder = scratch / f"techdocs-self-test-{uuid.uuid4().hex}"
        names = ("private", "output", "tree", "server")
        private, output, tree, server = folders = [folder / name for name in names]
        try:
            for path in folders:
                path.mkdir(mode=0o700, parents=True)
            child = self_test.SelfTestRun(
                command=self.command("isolation.probe", tree=tree, writable=(private, output)),
                environment=environment(
                    self._python,
                    private_directory=private,
                    search_path=search_path,
                    programs=self.programs,
                ),
                directory=private,
            )
            level = self_test.run(child, asked=self.level.layers, scratch=server)
        except (self_test.SelfTestFailed, self_test.Unusable) as error:
            raise ToolchainUnusable(f"{self._python} does not work in isolation: {error}") from error
        except OSError as error:
            raise ToolchainUnusable(f"isolation cannot be tried out: {error}") from error
        finally:
            remove_folder(folder)
        return replace(level, absent={**absent, **level.absent})


def toolchain_paths(python: Path, *, programs: bool) -> tuple[str, ...]:
    """Return what an interpreter's builds read, and run with ``programs``. Raises `ToolchainUnusable`."""
    paths = ask(python, "isolation.toolchain_paths")
    if not isinstance(paths, dict):
        raise ToolchainUnusable(f"{python} does not say what it reads")
    return (*paths["readable"], *(paths["programs"] if programs else ()))
