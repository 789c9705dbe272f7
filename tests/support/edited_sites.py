"""A site that is edited and built again and again, by us with reuse and by plain MkDocs without, and what differs."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from techdocs_server.adapters.generators.build_output import BuildOutput
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.log_text import MachinePaths
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.adapters.generators.outcome import site_of
from techdocs_server.adapters.generators.toolchain import Toolchain
from techdocs_server.domain.build import BuildProgress, BuildWarning
from techdocs_server.domain.errors import BuildStepFailed
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.launch import ROOT

from tests.support.sites import Files, files_below, write_files

Edit = Mapping[str, str | bytes | None]
"""New contents of files by their paths; None removes one."""

_SITE_NAME = "From the catalog"
_PLAIN = Path(__file__).with_name("plain_mkdocs.py")
_SECONDS = 120.0
# After this, builds begin in new processes.
_ZYGOTE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build made: a site, or a failure."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    warnings: Sequence[BuildWarning] = ()
    failure: str = ""
    reused: frozenset[str] = frozenset()
    pages: BuildProgress | None = None
    full_build_reason: str = ""


def differences(ours: Outcome, plain: Outcome) -> list[str]:
    """Return what is not alike, a line each. No difference is allowed for.

    sitemap.xml.gz holds a time, which is the beginning of the day: a comparison
    over midnight fails.
    """
    found = []
    if ours.failure != plain.failure:
        found.append(f"failure: {ours.failure!r} is not {plain.failure!r}")
    if list(ours.warnings) != list(plain.warnings):
        found.append(f"warnings: {_told(ours)} are not {_told(plain)}")
    for name in sorted({*ours.files, *plain.files}):
        if name not in plain.files:
            found.append(f"{name}: is not in the plain site")
        elif name not in ours.files:
            found.append(f"{name}: is missing")
        elif ours.files[name] != plain.files[name]:
            found.append(f"{name}: {_first_difference(ours.files[name], plain.files[name])}")
    return found


def _told(outcome: Outcome) -> list[tuple[str, str, int]]:
    return [(warning.message, warning.file, warning.line) for warning in outcome.warnings]


def _first_difference(ours: bytes, plain: bytes) -> str:
    place = next((n for n, pair in enumerate(zip(ours, plain, strict=False)) if pair[0] != pair[1]), len(ours))
    around = slice(max(place - 60, 0), place + 60)
    return f"at byte {place}: {ours[around]!r} is not {plain[around]!r}"


def edited(files: Files, edit: Edit) -> dict[str, str | bytes]:
    """Return the files with an edit made."""
    changed = {**files, **edit}
    return {name: content for name, content in changed.items() if content is not None}


class PlainBuilds:
    """The server of plain builds."""

    def __init__(self, policy: ConfigPolicy) -> None:
        self._policy = policy
        self._toolchain = Toolchain.of(None)
        self._process = subprocess.Popen(
            [sys.executable, str(_PLAIN)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def build(self, files: Files, folder: Path) -> Outcome:
        """Build a tree of these files below an empty folder. Blocks."""
        tree, output, scratch = (folder / name for name in ("tree", "output", "scratch"))
        for made in (tree, output, scratch):
            made.mkdir()
        write_files(tree, files)
        records = folder / "records"
        job = {
            "tree": str(tree), "output": str(output), "scratch": str(scratch), "site_name": _SITE_NAME,
            "policy": self._policy.to_json(), "records": str(records),
        }  # fmt: skip
        return self._outcome(self._run(job), records, self._paths(tree, output, scratch), output)

    def _run(self, job: Mapping[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the server of plain builds is gone"
        return int(answer)

    def _paths(self, tree: Path, output: Path, scratch: Path) -> MachinePaths:
        ours = {tree: "", output: "site", scratch: "tmp", ROOT: "techdocs"}
        return MachinePaths({**self._toolchain.folders, **{str(path): name for path, name in ours.items()}})

    @staticmethod
    def _outcome(code: int, records: Path, paths: MachinePaths, site: Path) -> Outcome:
        output = BuildOutput(lambda line: None, paths=paths)
        output.feed(records.read_bytes())
        output.end()
        try:
            made = site_of(output, code)
        except BuildStepFailed as error:
            return Outcome(failure=str(error))
        return Outcome(files_below(site), made.warnings)

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait(timeout=_SECONDS)


class Bench:
    """Builds for many edited sites, with one loaded process for ours and one for plain ones."""

    def __init__(self, *, policy: ConfigPolicy | None = None, workers: int = 2, is_loaded: bool = True) -> None:
        """``is_loaded`` False starts each build of ours in a new process."""
        self._policy = policy or ConfigPolicy()
        self._folder = Path(tempfile.mkdtemp(prefix="edited-"))
        self._runner = asyncio.Runner()
        scratch = self._folder / "scratch"
        scratch.mkdir()
        self.generator = MkDocsGenerator(
            temporary_directory=scratch, policy=self._policy, isolation=IsolationPolicy(workers=workers)
        )
        self._plain = PlainBuilds(self._policy)
        if is_loaded:
            self._runner.run(self._load())

    async def _load(self) -> None:
        self.generator.preload()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ZYGOTE_SECONDS):
                while self.generator._zygotes.present() is None:
                    await asyncio.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self.generator.close())
        self._runner.close()
        self._plain.close()
        shutil.rmtree(self._folder)

    def folder(self) -> Path:
        """Return a new empty folder."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def ours(self, files: Files, site: EditedSite) -> Outcome:
        """Build with what the site's last build left."""
        return self._runner.run(self._ours(files, site))

    def plain(self, files: Files) -> Outcome:
        """Build with plain MkDocs."""
        folder = self.folder()
        try:
            return self._plain.build(files, folder)
        finally:
            shutil.rmtree(folder)

    def both(self, files: Files, site: EditedSite) -> tuple[Outcome, Outcome]:
        """Build both ways at once."""

        async def at_once() -> tuple[Outcome, Outcome]:
            ours, plain = await asyncio.gather(self._ours(files, site), asyncio.to_thread(self.plain, files))
            return ours, plain

        return self._runner.run(at_once())

    def killed(self, files: Files, site: EditedSite, *, seconds: float) -> Path:
        """Begin a build, kill it after a time, and return what it left for the next one; it may have ended before."""

        async def killed() -> Path:
            folder = self.folder()
            tree, output, state = (folder / name for name in ("tree", "output", "state"))
            for made in (tree, output, state):
                made.mkdir()
            write_files(tree, files)
            request = GenerateRequest(tree, output, _SITE_NAME, _SECONDS, reuse_from=site.state, reuse_into=state)
            # The end of waiting kills the build's processes with SIGKILL.
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.generator.generate(request, log=lambda line: None)
            if (state / "index").exists():
                # It is written last: the build had ended, whether or not that was heard of before the kill.
                shutil.rmtree(state)
                state.mkdir()
            return state

        return self._runner.run(killed())

    async def _ours(self, files: Files, site: EditedSite) -> Outcome:
        folder = self.folder()
        tree, output, state = (folder / name for name in ("tree", "output", "state"))
        for made in (tree, output, state):
            made.mkdir()
        write_files(tree, files)
        request = GenerateRequest(tree, output, _SITE_NAME, _SECONDS, reuse_from=site.state, reuse_into=state)
        try:
            made_site = await self.generator.generate(request, log=lambda line: None)
        except BuildStepFailed as error:
            shutil.rmtree(folder)
            return Outcome(failure=str(error))
        return site.take(made_site, output, state)


@dataclass(slots=True)
class EditedSite:
    """The site as its last build that succeeded left it, and the state for the next one."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    state: Path | None = None

    def take(self, made: GeneratedSite, output: Path, state: Path) -> Outcome:
        """Put the site together from what was written and what was reused, as whoever publishes it does."""
        written = files_below(output)
        shutil.rmtree(output.with_name("tree"), ignore_errors=True)
        shutil.rmtree(output)
        missing = made.reused - self.files.keys()
        assert not missing, f"reused, but in no earlier site: {sorted(missing)}"
        assert not made.reused & written.keys(), "written and reused"
        self.files = {**{name: self.files[name] for name in made.reused}, **written}
        self.state = state
        return Outcome(
            self.files, made.warnings, reused=made.reused, pages=made.pages, full_build_reason=made.full_build_reason
        )
