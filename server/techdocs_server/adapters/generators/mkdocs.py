"""Sites from MkDocs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from techdocs_server.adapters.generators.build_output import BuildOutput
from techdocs_server.adapters.generators.cleanup import finish, remove_folder
from techdocs_server.adapters.generators.fork import ForkedBuild, ZygoteLost
from techdocs_server.adapters.generators.group_usage import GroupWatch, LimitExceeded
from techdocs_server.adapters.generators.isolation import Isolation, IsolationPolicy
from techdocs_server.adapters.generators.log_text import MachinePaths
from techdocs_server.adapters.generators.outcome import site_of
from techdocs_server.adapters.generators.process import ChildCommand, OutputTooLarge, run_in_own_group
from techdocs_server.adapters.generators.toolchain import Toolchain
from techdocs_server.adapters.generators.zygote import Zygote
from techdocs_server.adapters.generators.zygotes import Zygotes
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest, LogSink, ProgressSink
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.fork_request import ForkRequest
from techdocs_server.sandbox.isolation.level import IsolationLevel
from techdocs_server.sandbox.isolation.stages import EXIT_NOT_ISOLATED
from techdocs_server.sandbox.launch import DEFAULT_SEARCH_PATH, ROOT, environment

_log = logging.getLogger(__name__)
# 20,000 lines of 400 bytes are 8 MB: a build that prints this much is not logging.
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
_DEFAULT_ISOLATION = IsolationPolicy()


class MkDocsGenerator:
    """Runs MkDocs, one child process per build.

    The child has an environment of its own, a private temporary folder as HOME
    and TMPDIR, and is isolated as far as its policy and this machine go: docs are programs.
    """

    def __init__(
        self,
        python: Path | None = None,
        *,
        temporary_directory: Path | None = None,
        search_path: str = DEFAULT_SEARCH_PATH,
        isolation: IsolationPolicy = _DEFAULT_ISOLATION,
        policy: ConfigPolicy | None = None,
    ) -> None:
        """Ask the interpreter for its versions and try out isolation, which may block for seconds.

        ``python`` is the interpreter of the toolchain, None for our own. Private
        folders are made below ``temporary_directory``, None for the system's.
        ``search_path`` is PATH for the commands that plugins call. ``policy`` is
        what authors may configure, None for the strictest. Raises
        `ToolchainUnusable`.
        """
        self._toolchain = toolchain = Toolchain.of(python)
        self._temporary_directory = temporary_directory or Path(tempfile.gettempdir())
        self._search_path = search_path
        self._policy = policy or ConfigPolicy()
        self._isolation = Isolation.measured(
            isolation,
            python=self._toolchain.python,
            scratch=self._temporary_directory,
            search_path=search_path,
        )

        def start_zygote() -> Coroutine[None, None, Zygote]:
            return Zygote.start(
                toolchain.python,
                scratch=self._temporary_directory,
                search_path=search_path,
                layers=self._isolation.level.layers,
                programs=isolation.programs,
            )

        self._zygotes = Zygotes(start_zygote, toolchain.package_folders)

    def preload(self) -> None:
        """Load the toolchain in the background, so that builds from now on begin at once. `close` is called in the end."""
        if self._isolation.can_be_forked:
            self._zygotes.begin()

    @property
    def is_preloaded(self) -> bool:
        """Whether a build that is asked for now begins at once."""
        return self._zygotes.present() is not None

    async def close(self) -> None:
        """End what `preload` began, and the builds that use it."""
        await self._zygotes.close()

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions of the toolchain's MkDocs, of its Backstage plugin, its theme, its Markdown, and of our own rules."""
        return (*self._toolchain.versions, self._policy.version)

    @property
    def isolation_level(self) -> IsolationLevel:
        """What isolation does on this machine, tried out at the start."""
        return self._isolation.level

    async def generate(
        self, request: GenerateRequest, *, log: LogSink, progress: ProgressSink | None = None
    ) -> GeneratedSite:
        """See `SiteGenerator.generate`."""
        self._isolation.require()
        seconds = request.timeout_seconds
        try:
            async with asyncio.timeout(seconds), self._private_directory() as private:
                return await self._run(request, private=private, log=log, progress=progress)
        except TimeoutError as error:
            raise BuildStepFailed(
                f"MkDocs was stopped: it ran longer than {seconds:g} seconds", reason=BuildFailureReason.TIMED_OUT
            ) from error

    async def _run(
        self, request: GenerateRequest, *, private: Path, log: LogSink, progress: ProgressSink | None
    ) -> GeneratedSite:
        work = _Work(
            request,
            private,
            writable=(private, request.into, *([request.reuse_into] if request.reuse_into else [])),
            readable=(request.reuse_from,) if request.reuse_from else (),
            environment=environment(
                self._toolchain.python,
                private_directory=private,
                search_path=self._search_path,
                programs=self._isolation.programs,
            ),
        )
        output = BuildOutput(log, progress=progress, paths=self._paths(request.tree, request.into, private))
        try:
            exit_code = await self._run_somewhere(work, output)
        except OutputTooLarge as error:
            raise _over_a_limit(f"printed more than {_MAX_OUTPUT_BYTES} bytes") from error
        except LimitExceeded as error:
            raise _over_a_limit(str(error)) from error
        except OSError as error:
            raise BuildStepFailed(f"MkDocs cannot be started: {error.strerror}") from error
        output.end()
        exit_code = self._isolation.exit_code(exit_code)
        self._check(exit_code)
        return replace(site_of(output, exit_code), isolation=self._isolation.level.text)

    async def _run_somewhere(self, work: _Work, output: BuildOutput) -> int:
        """Run a build in a fork of a loaded process or, where there is none, in a new one."""
        zygote = self._zygotes.present()
        if zygote is not None:
            try:
                return await self._fork(zygote, work, output)
            except ZygoteLost as error:
                if not self._zygotes.is_on:
                    raise BuildStepFailed(
                        "MkDocs was stopped: so is the server", reason=BuildFailureReason.KILLED
                    ) from error
                _log.warning("zygote_lost", extra={"error": str(error)})
                output.start_over()
                await finish(asyncio.to_thread(_empty, work.writable))
        child = ChildCommand(
            arguments=self._isolation.command(
                "build", tree=work.request.tree, writable=work.writable, readable=work.readable
            ),
            directory=work.private,
            environment=work.environment,
            standard_input=json.dumps(self._job(work.request)).encode(),
            max_output_bytes=_MAX_OUTPUT_BYTES,
        )
        return await run_in_own_group(child, on_output=output.feed, watch=self._watch(work))

    async def _fork(self, zygote: Zygote, work: _Work, output: BuildOutput) -> int:
        plan = self._isolation.plan(tree=work.request.tree, writable=work.writable, readable=work.readable)
        forked = ForkRequest(plan.to_json(), self._job(work.request), work.environment, str(work.private))
        build = ForkedBuild(forked, max_output_bytes=_MAX_OUTPUT_BYTES)
        return await zygote.run(build, on_output=output.feed, watch=self._watch(work))

    def _watch(self, work: _Work) -> GroupWatch:
        many = self._isolation.programs or self._isolation.workers > 1
        return GroupWatch(self._isolation.limits, work.writable, many=many)

    def _check(self, exit_code: int) -> None:
        if exit_code == -signal.SIGXCPU:
            raise _over_a_limit(f"used more than {self._isolation.limits.processor_seconds} seconds of processor time")
        if exit_code == EXIT_NOT_ISOLATED:
            raise BuildStepFailed(
                "the build was not started: its process could not isolate itself",
                reason=BuildFailureReason.ISOLATION_UNAVAILABLE,
                hint="restart the server: it finds out anew what this machine can do",
            )

    def _job(self, request: GenerateRequest) -> dict[str, object]:
        edit = request.edit_links
        return {
            "tree": str(request.tree),
            "output": str(request.into),
            "site_name": request.site_name,
            "parent": os.getpid() if self._isolation.shares_process_ids else None,
            "policy": self._policy.to_json(),
            "reuse": {
                "source": request.reuse_from and str(request.reuse_from),
                "target": request.reuse_into and str(request.reuse_into),
                "workers": self._isolation.workers,
            },
            "edit": edit and {"repo_url": edit.repo_url, "edit_base": edit.edit_base},
        }

    def _paths(self, tree: Path, into: Path, private: Path) -> MachinePaths:
        ours = {tree: "", into: "site", private: "tmp", ROOT: "techdocs"}
        named = {str(folder): name for path, name in ours.items() for folder in (path, path.resolve())}
        return MachinePaths({**self._toolchain.folders, **named})

    @asynccontextmanager
    async def _private_directory(self) -> AsyncIterator[Path]:
        path = self._temporary_directory / f"techdocs-build-{uuid.uuid4().hex}"
        try:
            await finish(asyncio.to_thread(_make_private, path))
            yield path
        finally:
            await finish(asyncio.to_thread(remove_folder, path))


@dataclass(frozen=True, slots=True)
class _Work:
    """A request, and what its process is given."""

    request: GenerateRequest
    private: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...]
    environment: Mapping[str, str]


def _empty(folders: tuple[Path, ...]) -> None:
    """Remove what a build left in folders of its own. Blocks."""
    for folder in folders:
        remove_folder(folder)
        folder.mkdir(mode=0o700)


def _over_a_limit(what: str) -> BuildStepFailed:
    return BuildStepFailed(f"MkDocs was stopped: it {what}", reason=BuildFailureReason.LIMIT_EXCEEDED)


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise BuildStepFailed(f"the build's temporary folder cannot be made: {error.strerror}") from error
