"""How a build process talks to its parent over one stream, its standard output.

Plugins and extensions print to that stream too, so a record is a line of its
own kind: the byte 0x1E (RECORD SEPARATOR, as in RFC 7464), then one JSON object
in ASCII, then a newline. Everything else is plain output. Whatever the docs run
can forge a record: the parent believes a record no more than it would a print.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

MARK = b"\x1e"
MAX_TEXT_BYTES = 8 * 1024
# The worst character is a control character: one byte of text, six of JSON ("\u001b"). A record has up to three texts.
MAX_RECORD_BYTES = 3 * 6 * MAX_TEXT_BYTES + 256

CONFIG_INVALID = "CONFIG_INVALID"
CONFIG_REFUSED = "CONFIG_REFUSED"
MKDOCS_FAILED = "MKDOCS_FAILED"
LIMIT_EXCEEDED = "LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A line of MkDocs' log. ``level`` is debug, info, warning or error."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class WarningRecord:
    """Something an author should mend. ``file`` is relative to the source or empty, ``line`` 0 for none."""

    message: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """How many pages are done, how many of those were reused, and how many there are."""

    done: int
    reused: int
    total: int


@dataclass(frozen=True, slots=True)
class ReusedRecord:
    """Paths of the site that were not written because they are what they were, one a line."""

    paths: str


@dataclass(frozen=True, slots=True)
class FullBuildRecord:
    """No page can be reused; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The site is complete. Either text may be empty."""

    site_name: str
    site_description: str


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no site; ``error`` is the one line that says why.

    ``reason`` is one of this module's three; the rest says where and what to write instead, as far as known.
    """

    error: str
    reason: str = MKDOCS_FAILED
    file: str = ""
    line: int = 0
    hint: str = ""


Record = LogRecord | WarningRecord | ProgressRecord | ReusedRecord | FullBuildRecord | Finished | Failed
_KINDS: dict[str, type[Record]] = {
    "log": LogRecord,
    "warning": WarningRecord,
    "progress": ProgressRecord,
    "reused": ReusedRecord,
    "full_build": FullBuildRecord,
    "finished": Finished,
    "failed": Failed,
}


def parse_record(line: bytes) -> Record | None:
    """Return the record in a line that had `MARK` before it, or None when it is not one."""
    try:
        document = json.loads(line)
        kind = _KINDS[document.pop("record")]
        types = {field.name: int if field.type == "int" else str for field in fields(kind)}
        # The exact type: true is an int, too.
        if any(type(value) is not types[name] for name, value in document.items()):
            return None
        return kind(**document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class RecordWriter:
    """Writes records to a file descriptor of its own, so that closing or replacing sys.stdout cannot lose them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)

    def log(self, level: str, text: str) -> None:
        """Write one log record for every line of a text."""
        for line in text.splitlines() or [""]:
            self._write("log", level=level, text=line)

    def warning(self, message: str, *, file: str = "", line: int = 0) -> None:
        """Write what an author should mend; the text becomes one line. It is not a line of log, too."""
        self._write("warning", {"line": line}, message=one_line(message), file=one_line(file))

    def progress(self, *, done: int, reused: int, total: int) -> None:
        """Write how far the pages are."""
        self._write("progress", {"done": done, "reused": reused, "total": total})

    def reused(self, paths: Sequence[str]) -> None:
        """Write the paths that are what they were, as many records as that takes. None may hold a line break."""
        record: list[str] = []
        size = 0
        for path in paths:
            length = len(path.encode("utf-8", "replace")) + 1
            if record and size + length > MAX_TEXT_BYTES:
                self._write("reused", paths="\n".join(record))
                record, size = [], 0
            record.append(path)
            size += length
        if record:
            self._write("reused", paths="\n".join(record))

    def full_build(self, reason: str) -> None:
        """Write why no page can be reused; the text becomes one line."""
        self._write("full_build", reason=one_line(reason))

    def finished(self, *, site_name: str, site_description: str) -> None:
        """Write the record of success."""
        self._write("finished", site_name=site_name, site_description=site_description)

    def failed(self, error: str, *, reason: str = MKDOCS_FAILED, file: str = "", line: int = 0, hint: str = "") -> None:
        """Write the record of failure; texts become one line."""
        texts = {"error": one_line(error), "reason": reason, "file": one_line(file), "hint": one_line(hint)}
        self._write("failed", {"line": line}, **texts)

    def _write(self, record: str, numbers: Mapping[str, int] | None = None, **values: str) -> None:
        texts = {key: _cut(value) for key, value in values.items()}
        content = MARK + json.dumps({"record": record, **(numbers or {}), **texts}).encode("ascii") + b"\n"
        while content:
            content = content[os.write(self._descriptor, content) :]


def one_line(text: str) -> str:
    """Return a text with every run of white space as one blank."""
    return " ".join(text.split())


def _cut(text: str) -> str:
    content = text.encode("utf-8", "replace")
    return text if len(content) <= MAX_TEXT_BYTES else content[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
