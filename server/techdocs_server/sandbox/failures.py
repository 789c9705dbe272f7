"""Why a build failed, in the words that tell its author best."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from techdocs_server.sandbox.config.findings import ConfigProblem
from techdocs_server.sandbox.records import CONFIG_INVALID, CONFIG_REFUSED, RecordWriter, one_line

if TYPE_CHECKING:
    from techdocs_server.sandbox.logs import RecordHandler

_LIMITS = frozenset({errno.EFBIG, errno.EMFILE})


def failed_with(problem: ConfigProblem, writer: RecordWriter) -> None:
    """Write the record of a build that its configuration ended."""
    writer.failed(
        problem.message,
        reason=CONFIG_REFUSED if problem.is_refused else CONFIG_INVALID,
        file=problem.file,
        line=problem.line,
        hint=problem.hint,
    )


def failure_text(error: BaseException, log: RecordHandler) -> str:
    """Return the sentence for an error that MkDocs, a plugin or an extension raised."""
    from mkdocs.exceptions import Abort, MkDocsException

    if isinstance(error, Abort) and not log.errors and log.warnings:
        return f"{error.message} The first one: {log.warnings[0]}"
    if isinstance(error, Abort | SystemExit) and log.errors:
        # The exception itself only says that there were errors.
        return "; ".join(log.errors)
    if isinstance(error, MkDocsException):
        return one_line(error.message)
    if isinstance(error, SystemExit):
        return f"a plugin or hook ended MkDocs with exit code {error.code}"
    if log.errors and one_line(str(error)) in log.errors[-1]:
        return log.errors[-1]
    return one_line(f"{type(error).__name__}: {error}")


def is_unexpected(error: BaseException) -> bool:
    """Whether an error needs a traceback to be understood."""
    from mkdocs.exceptions import MkDocsException

    return not isinstance(error, MkDocsException | SystemExit)


def is_over_a_limit(error: BaseException) -> bool:
    """Whether an exception is what a limit of the build looks like from inside: memory, a file's size, open files."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _LIMITS)
