"""Watching what a page asks for while its Markdown is rendered."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from techdocs_server.sandbox.logs import RULES_LOGGER
from techdocs_server.sandbox.rendering.records import Lookup, Message

if TYPE_CHECKING:
    from mkdocs.structure.files import File, Files


class WatchedFiles:
    """The files of a site, with a record of which were looked for.

    Whatever else is asked of them makes ``is_plain`` False: the page may then depend on anything.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.lookups: dict[str, tuple[str, int] | None] = {}
        self.is_plain = True

    def get_file_from_path(self, path: str) -> File | None:
        """See `mkdocs.structure.files.Files`."""
        # In the form in which MkDocs looks for it.
        uri = PurePath(path).as_posix()
        file = self._files.src_uris.get(uri)
        self.lookups[uri] = answer(file)
        return file

    def __getattr__(self, name: str) -> object:
        self.is_plain = False
        return getattr(self._files, name)

    def found(self) -> tuple[Lookup, ...]:
        """Return every lookup with what it found."""
        return tuple(self.lookups.items())


def answer(file: File | None) -> tuple[str, int] | None:
    """Return what a page sees of a file it links to."""
    return None if file is None else (file.url, int(file.inclusion.value))


class MessageTap(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.messages.append((record.name, record.levelno, record.getMessage()))


@contextmanager
def tapped_log() -> Iterator[list[Message]]:
    """Collect what is logged by MkDocs and by others inside the context, beside the handlers there are."""
    tap = MessageTap()
    loggers = (logging.getLogger(), logging.getLogger("mkdocs"), logging.getLogger(RULES_LOGGER))
    for logger in loggers:
        logger.addHandler(tap)
    try:
        yield tap.messages
    finally:
        for logger in loggers:
            logger.removeHandler(tap)


@contextmanager
def silent_log() -> Iterator[None]:
    """Take every other handler away inside the context: for a process whose lines are told by another one."""
    loggers = (logging.getLogger(), logging.getLogger("mkdocs"), logging.getLogger(RULES_LOGGER))
    handlers = [list(logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = []
    try:
        yield
    finally:
        for logger, kept in zip(loggers, handlers, strict=True):
            logger.handlers[:] = kept


def say_again(messages: tuple[Message, ...]) -> None:
    """Log what was logged when a page was rendered."""
    for name, level, text in messages:
        # Not as a format: the text may hold percent signs.
        logging.getLogger(name).log(level, "%s", text)


class OpenedFiles:
    """Which files this process opens for reading. One per process: an audit hook cannot be removed."""

    _watching: set[str] | None = None
    _installed = False

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[set[str]]:
        """Collect the paths that are opened inside the context."""
        if not cls._installed:
            sys.addaudithook(cls._hook)
            cls._installed = True
        found: set[str] = set()
        cls._watching = found
        try:
            yield found
        finally:
            cls._watching = None

    @classmethod
    def _hook(cls, event: str, arguments: tuple[object, ...]) -> None:
        if cls._watching is not None and event == "open" and isinstance(arguments[0], str | bytes):
            cls._watching.add(os.fsdecode(arguments[0]))
