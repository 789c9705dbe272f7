"""Reading the one stream of a build process: records and prints become lines of log, warnings and an outcome."""

from __future__ import annotations

from techdocs_server.adapters.generators.log_text import LineSplitter, MachinePaths, clean_text, cut_text
from techdocs_server.domain.build import BuildProgress, BuildWarning, LogLine, Severity
from techdocs_server.ports.generator import LogSink, ProgressSink
from techdocs_server.sandbox.records import (
    MARK,
    MAX_RECORD_BYTES,
    Failed,
    Finished,
    FullBuildRecord,
    LogRecord,
    ProgressRecord,
    ReusedRecord,
    WarningRecord,
    parse_record,
)

_MAX_LINES = 20_000
# A page of them; a site with more has one cause for most.
_MAX_WARNINGS = 200
_MAX_FILE_CHARACTERS = 500
# More than a site may have files by default; whoever names more names what is not there.
_MAX_REUSED = 1_000_000
_MAX_LINE_NUMBER = 2**31 - 1


class BuildOutput:
    """Takes output in pieces, sends lines to the sink in order, and keeps the last outcome seen.

    At most ``max_lines`` lines are sent, then one that says so; records are
    understood to the end all the same. The first `_MAX_WARNINGS` warnings are
    kept, each once, and the rest is counted.
    """

    def __init__(
        self,
        log: LogSink,
        *,
        paths: MachinePaths,
        progress: ProgressSink | None = None,
        max_lines: int = _MAX_LINES,
    ) -> None:
        self._log = log
        self._progress = progress
        self._paths = paths
        self._max_lines = max_lines
        self._lines = 0
        self._splitter = LineSplitter(MAX_RECORD_BYTES)
        self._warnings: dict[BuildWarning, None] = {}
        self._more_warnings = 0
        self.outcome: Finished | Failed | None = None
        self.pages: BuildProgress | None = None
        self.reused: set[str] = set()
        self.full_build_reason = ""

    @property
    def warnings(self) -> tuple[BuildWarning, ...]:
        """What the author should mend; where there is too much of it, the last one says how much more."""
        if not self._more_warnings:
            return tuple(self._warnings)
        return (*self._warnings, BuildWarning(f"{self._more_warnings} more warnings are in the log"))

    def start_over(self) -> None:
        """Forget what a process said that is gone, but for its lines and warnings: the next one builds the same."""
        self.end()
        self.outcome = None
        self.pages = None
        self.reused.clear()
        self.full_build_reason = ""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        # A flood of prints must not keep the event loop busy.
        if self._lines > self._max_lines and self._splitter.skip(data, unless=MARK):
            return
        for line in self._splitter.feed(data):
            self._take_line(line)

    def end(self) -> None:
        """Take what lacks its newline; nothing follows."""
        for line in self._splitter.end():
            self._take_line(line)

    def safe(self, text: str) -> str:
        """Return a text as it may leave the server."""
        return cut_text(self._paths.replaced(clean_text(text)))

    def safe_place(self, file: str, line: int) -> tuple[str, int]:
        """Return a file and a line of the source as they may leave the server."""
        return self.safe(file)[:_MAX_FILE_CHARACTERS], min(max(line, 0), _MAX_LINE_NUMBER)

    def _take_line(self, line: bytes) -> None:
        # A print without newline may stand before a record.
        printed, mark, rest = line.partition(MARK)
        record = parse_record(rest) if mark else None
        if record is None:
            self._print(line)
            return
        if printed:
            self._print(printed)
        if isinstance(record, LogRecord):
            self._send(_severity(record.level), record.text)
        elif isinstance(record, WarningRecord):
            self._keep(record)
        elif isinstance(record, Finished | Failed):
            self.outcome = record
        else:
            self._take_page_record(record)

    def _take_page_record(self, record: ProgressRecord | ReusedRecord | FullBuildRecord) -> None:
        if isinstance(record, ReusedRecord):
            if len(self.reused) < _MAX_REUSED:
                self.reused.update(record.paths.split("\n"))
        elif isinstance(record, FullBuildRecord):
            self.full_build_reason = self.safe(record.reason)
        elif 0 <= record.reused <= record.total and 0 <= record.done <= record.total <= _MAX_REUSED:
            self.pages = BuildProgress(record.done, record.reused, record.total)
            if self._progress:
                self._progress(self.pages)

    def _keep(self, record: WarningRecord) -> None:
        file, line = self.safe_place(record.file, record.line)
        warning = BuildWarning(self.safe(record.message), file, line)
        if len(self._warnings) < _MAX_WARNINGS:
            self._warnings[warning] = None
        elif warning not in self._warnings:
            self._more_warnings += 1

    def _print(self, line: bytes) -> None:
        # Progress bars go back with a carriage return: each state is a line.
        for part in line.rstrip(b"\r").split(b"\r"):
            self._send(Severity.INFO, part.decode("utf-8", "replace"))

    def _send(self, severity: Severity, text: str) -> None:
        self._lines += 1
        if self._lines <= self._max_lines:
            self._log(LogLine(severity, self.safe(text)))
        elif self._lines == self._max_lines + 1:
            self._log(LogLine(Severity.WARNING, f"the log is cut here: it has more than {self._max_lines} lines"))


def _severity(level: str) -> Severity:
    try:
        return Severity(level)
    except ValueError:
        return Severity.INFO
