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
RULES_LOGGER = "techdocs.rules"
_FILE_END = "\x1f"


def rules_log(message: str, *, file: str) -> None:
    """Log what our own rules have against a page; ``file`` is the author's, empty for none.

    This logger does not propagate: a strict build counts what authors wrote wrong, not what we leave out.
    """
    # In the text, so that whoever keeps the line and logs it again keeps the file, too.
    logging.getLogger(RULES_LOGGER).warning("%s", f"{file}{_FILE_END}{message}")


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


class RulesHandler(logging.Handler):
    """Writes what `rules_log` was given."""

    def __init__(self, writer: RecordWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, and the warning that it is."""
        file, _, message = record.getMessage().partition(_FILE_END)
        self._writer.log("warning", f"{file}: {message}" if file else message)
        self._writer.warning(message, file=file)


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
    rules = logging.getLogger(RULES_LOGGER)
    rules.propagate = False
    rules.addHandler(RulesHandler(writer))
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
