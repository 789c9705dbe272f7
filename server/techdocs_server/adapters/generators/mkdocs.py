"""Sites from MkDocs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from techdocs_server.adapters.generators.build_output import BuildOutput
from techdocs_server.adapters.generators.cleanup import finish, remove_folder
from techdocs_server.adapters.generators.log_text import MachinePaths
from techdocs_server.adapters.generators.process import ChildCommand, OutputTooLarge, run_in_own_group
from techdocs_server.adapters.generators.toolchain import Toolchain
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest, LogSink
from techdocs_server.sandbox.launch import DEFAULT_SEARCH_PATH, ROOT, command, environment
from techdocs_server.sandbox.records import Failed, Finished

# 20,000 lines of 400 bytes are 8 MB: a build that prints this much is not logging.
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024


class MkDocsGenerator:
    """Runs MkDocs, one child process per build.

    The child has an environment of its own, a private temporary folder as HOME
    and TMPDIR, and no other limits: docs are programs, and run as this user.
    """

    def __init__(
        self,
        python: Path | None = None,
        *,
        temporary_directory: Path | None = None,
        search_path: str = DEFAULT_SEARCH_PATH,
    ) -> None:
        """Ask the interpreter for its versions, which may block for seconds.

        ``python`` is the interpreter of the toolchain, None for our own. Private
        folders are made below ``temporary_directory``, None for the system's.
        ``search_path`` is PATH for the commands that plugins call. Raises
        `ToolchainUnusable`.
        """
        self._toolchain = Toolchain.of(python)
        self._temporary_directory = temporary_directory or Path(tempfile.gettempdir())
        self._search_path = search_path

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions of the toolchain's MkDocs, of its Backstage plugin, its theme and its Markdown."""
        return self._toolchain.versions

    async def generate(self, request: GenerateRequest, *, log: LogSink) -> GeneratedSite:
        """See `SiteGenerator.generate`."""
        seconds = request.timeout_seconds
        try:
            async with asyncio.timeout(seconds), self._private_directory() as private:
                return await self._run(
                    request.tree, into=request.into, private=private, site_name=request.site_name, log=log
                )
        except TimeoutError as error:
            raise BuildStepFailed(
                f"MkDocs was stopped: it ran longer than {seconds:g} seconds", reason=BuildFailureReason.TIMED_OUT
            ) from error

    async def _run(self, tree: Path, *, into: Path, private: Path, site_name: str, log: LogSink) -> GeneratedSite:
        python = self._toolchain.python
        job = {"tree": str(tree), "output": str(into), "site_name": site_name, "parent": os.getpid()}
        child = ChildCommand(
            arguments=command(python, "build"),
            directory=private,
            environment=environment(python, private_directory=private, search_path=self._search_path),
            standard_input=json.dumps(job).encode(),
            max_output_bytes=_MAX_OUTPUT_BYTES,
        )
        output = BuildOutput(log, paths=self._paths(tree, into, private))
        try:
            exit_code = await run_in_own_group(child, on_output=output.feed)
        except OutputTooLarge as error:
            raise BuildStepFailed(f"MkDocs was stopped: it printed more than {_MAX_OUTPUT_BYTES} bytes") from error
        except OSError as error:
            raise BuildStepFailed(f"MkDocs cannot be started: {error.strerror}") from error
        output.end()
        return _site(output, exit_code)

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


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise BuildStepFailed(f"the build's temporary folder cannot be made: {error.strerror}") from error


def _site(output: BuildOutput, exit_code: int) -> GeneratedSite:
    if exit_code < 0:
        raise BuildStepFailed(
            f"MkDocs was killed by signal {_signal_text(-exit_code)}; the log may say why",
            reason=BuildFailureReason.KILLED,
        )
    if isinstance(output.outcome, Failed):
        raise BuildStepFailed(output.safe(output.outcome.error))
    if exit_code != 0 or not isinstance(output.outcome, Finished):
        raise BuildStepFailed(f"MkDocs ended with exit code {exit_code} before the site was complete")
    return GeneratedSite(output.safe(output.outcome.site_name), output.safe(output.outcome.site_description))


def _signal_text(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
