"""The builder by hand: one folder through the whole pipeline, without a server."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.build_tools import make_generator, make_preparer, make_site_files
from techdocs_server.domain.build import BuildProblem, BuildState, BuildWarning, LogLine, Severity
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildStepFailed, TechDocsError
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.domain.site_path import INDEX
from techdocs_server.domain.source_etag import source_etag
from techdocs_server.ports.generator import GenerateRequest
from techdocs_server.ports.site_files import SiteFiles
from techdocs_server.services.dispatching import problem_of
from techdocs_server.services.publishing import no_front_page
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed

Say = Callable[[str], None]
"""Takes one line for people."""


class BuildRefused(Exception):
    """There is no site. ``problem`` is what a build record would say."""

    def __init__(self, problem: BuildProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


async def build_once(settings: Settings, *, source: Path, output: Path, name: str, say: Say) -> None:
    """Build a folder into another one: copied, configuration rewritten, isolated, bounded, the output walked.

    ``output`` is made when it is not there and must be empty; nothing is in it
    after a failure. Raises `BuildRefused`, and `StartFailed` for an output folder or
    a toolchain that cannot be used.
    """
    _make_output(output)
    with tempfile.TemporaryDirectory(prefix="techdocs-") as scratch:
        phase = _Phase(say)
        try:
            await _build(settings, phase, source=source, output=output, name=name, scratch=Path(scratch))
        except (BuildStepFailed, TechDocsError) as error:
            _empty(output)
            raise BuildRefused(problem_of(error, phase.current)) from error


class _Phase:
    """Says what is going on, and remembers it for a failure."""

    def __init__(self, say: Say) -> None:
        self.current = BuildState.QUEUED
        self._say = say

    def move(self, state: BuildState) -> None:
        self.current = state
        self._say(f"== {state}")

    def log(self, line: LogLine) -> None:
        self._say(f"{line.severity.value.upper():8}{line.text}")


async def _build(settings: Settings, phase: _Phase, *, source: Path, output: Path, name: str, scratch: Path) -> None:
    tree, site, private = scratch / "source", scratch / "site", scratch / "private"
    for folder in (tree, site, private):
        folder.mkdir(mode=0o700)
    generator = await make_generator(settings, private)
    with contextlib.ExitStack() as resources:
        preparer = make_preparer(settings, SourceHosts(), excluded=frozenset(), scratch=private, own=resources.callback)
        files = make_site_files(settings)
        resources.callback(files.close)
        phase.move(BuildState.PREPARING)
        prepared = await preparer.prepare(_source(source, name), into=tree)
        for warning in prepared.warnings:
            phase.log(LogLine(Severity.WARNING, warning))
        phase.move(BuildState.GENERATING)
        request = GenerateRequest(tree, site, name, settings.build_timeout_seconds, prepared.edit_links)
        generated = await generator.generate(request, log=phase.log)
        phase.move(BuildState.PUBLISHING)
        paths = await _copy(files, site, output)
        etag = source_etag(tree=prepared.etag, site_name=name, generator=generator.versions)
        metadata = SiteMetadata(
            generated.site_name, generated.site_description, etag, datetime.now(UTC), tuple(sorted(paths))
        )
        (output / METADATA_PATH).write_bytes(metadata.to_json())
        for found in generated.warnings:
            phase.log(LogLine(Severity.WARNING, _text(found)))
        isolation = generated.isolation or "none"
        phase.log(LogLine(Severity.INFO, f"built {len(paths)} files; isolation: {isolation}"))


async def _copy(files: SiteFiles, site: Path, output: Path) -> set[str]:
    """Copy the files of a site and return their paths; our own metadata replaces whatever was made."""
    found = {path for path in await files.digests(site) if path != METADATA_PATH}
    if INDEX not in found:
        raise no_front_page()
    for path in sorted(found):
        target = output / path
        target.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(_copy_file, files.opener(site, path), target)
    return found | {METADATA_PATH}


def _copy_file(open_file: Callable[[], BinaryIO], target: Path) -> None:
    with open_file() as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy)


def _source(folder: Path, name: str) -> SourceRef:
    return SourceRef("dir", str(folder.absolute()), folder.name or ".", name)


def _make_output(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise StartFailed(f"--output: {output} is not empty; name a new or an empty folder")
    except OSError as error:
        raise StartFailed(f"--output: {output} cannot be used: {error.strerror}") from error


def _empty(output: Path) -> None:
    for entry in output.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _text(warning: BuildWarning) -> str:
    place = f"{warning.file}:{warning.line}: " if warning.line else (f"{warning.file}: " if warning.file else "")
    return place + warning.message
