"""Python's logging in a build process, turned into records; what is logged as a warning is a build warning, too.

The levels and filters are those that ``mkdocs build`` sets up in
mkdocs/__main__.py, because they decide what ``strict: true`` counts.
"""

from __future__ import annotations

import logging
import warnings
from typing import TextIO

from techdocs_server.sandbox.records import RecordWriter, one_line
from techdocs_server.sandbox.source_files import SourceFiles

_KEPT = 5


class RecordHandler(logging.Handler):
    """Writes every log record, and remembers the first few problems for the final sentence."""

    def __init__(self, writer: RecordWriter, sources: SourceFiles) -> None:
        super().__init__()
        self._writer = writer
        self._sources = sources
        self.setFormatter(logging.Formatter("%(message)s"))
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write one log record, a line at a time."""
        level = _level(record.levelno)
        self._writer.log(level, self.format(record))
        if level == "error" and len(self.errors) < _KEPT:
            self.errors.append(one_line(record.getMessage()))
        if level == "warning":
            message = record.getMessage()
            self._writer.warning(message, file=self._sources.of_message(message))
            if len(self.warnings) < _KEPT:
                self.warnings.append(one_line(message))


def set_up_logging(writer: RecordWriter, sources: SourceFiles) -> RecordHandler:
    """Send MkDocs' log from INFO, every other library's from WARNING, and Python's warnings to the writer."""
    from mkdocs import utils
    from mkdocs.commands import build

    handler = RecordHandler(writer, sources)
    mkdocs = logging.getLogger("mkdocs")
    mkdocs.setLevel(logging.INFO)
    mkdocs.propagate = False
    mkdocs.addHandler(handler)
    logging.getLogger().addHandler(handler)
    build.log.addFilter(utils.DuplicateFilter())
    warnings.simplefilter("module", DeprecationWarning)
    warnings.showwarning = _log_warning
    return handler


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    logging.getLogger("mkdocs").info("%s: %s (%s:%d)", category.__name__, message, filename, lineno)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
