"""Builds one site with MkDocs, then ends: MkDocs cannot be used twice in a process.

The job is a JSON object on standard input: ``tree`` and ``output`` (absolute
folders), ``site_name`` (used when the tree has no configuration), ``parent`` (the
process that waits for the site), and optionally ``config`` (a configuration file of
the tree). The answer is a stream of records,
see `records`; the exit code is 0 exactly when the site is complete.

The output is that of ``mkdocs build -f mkdocs.yml -d OUTPUT`` run in the tree.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from techdocs_server.sandbox.configuration import ConfigurationChoice, ConfigurationUnusable
from techdocs_server.sandbox.logs import RecordHandler, set_up_logging
from techdocs_server.sandbox.records import RecordWriter, one_line

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Job:
    """What to build."""

    tree: Path
    output: Path
    site_name: str
    parent: int
    config: str | None

    @classmethod
    def parse(cls, content: bytes) -> Job:
        """Read a job. Raises `ValueError` or `KeyError`."""
        document = json.loads(content)
        return cls(
            Path(document["tree"]),
            Path(document["output"]),
            document["site_name"],
            document["parent"],
            document.get("config"),
        )


def main() -> None:
    """Read the job, build it, exit."""
    # From here on a parent that dies takes us with it; one that died before that is no longer our parent.
    _die_with_parent()
    job = Job.parse(sys.stdin.buffer.read())
    if os.getppid() != job.parent:
        sys.exit("the process that wanted this build is gone")
    os.chdir(job.tree)
    # Plugins and hooks look here for the verb.
    sys.argv = ["mkdocs", "build"]
    writer = RecordWriter(sys.stdout.fileno())
    log = set_up_logging(writer)
    try:
        config = _build(job, writer)
    # SystemExit as well: MkDocs' Abort is one, and plugins end builds with sys.exit.
    except (Exception, SystemExit) as error:  # author's hooks and plugins raise anything
        if _is_unexpected(error):
            writer.log("info", traceback.format_exc())
        writer.failed(failure_text(error, log))
        sys.exit(1)
    writer.finished(site_name=str(config.site_name), site_description=str(config.site_description or ""))


def _build(job: Job, writer: RecordWriter) -> MkDocsConfig:
    from mkdocs.commands.build import build

    choice = ConfigurationChoice.of(job.tree, site_name=job.site_name, wanted=job.config, log=writer)
    config = choice.load(output=job.output)
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build(config)
    finally:
        config.plugins.on_shutdown()
    return config


def failure_text(error: BaseException, log: RecordHandler) -> str:
    """Return the sentence that tells an author best why the build failed."""
    from mkdocs.exceptions import Abort, MkDocsException

    if isinstance(error, Abort) and not log.errors and log.warnings:
        return f"{error.message} The first one: {log.warnings[0]}"
    if isinstance(error, Abort | SystemExit) and log.errors:
        # The exception itself only says that there were errors.
        return "; ".join(log.errors)
    if isinstance(error, MkDocsException):
        return one_line(error.message)
    if isinstance(error, ConfigurationUnusable):
        return str(error)
    if isinstance(error, SystemExit):
        return f"a plugin or hook ended MkDocs with exit code {error.code}"
    if log.errors and one_line(str(error)) in log.errors[-1]:
        return log.errors[-1]
    return one_line(f"{type(error).__name__}: {error}")


def _is_unexpected(error: BaseException) -> bool:
    from mkdocs.exceptions import MkDocsException

    return not isinstance(error, MkDocsException | SystemExit | ConfigurationUnusable)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
