"""One stream of prints and records, taken apart."""

from __future__ import annotations

import json

import pytest
from techdocs_server.adapters.generators.build_output import BuildOutput
from techdocs_server.adapters.generators.log_text import MachinePaths
from techdocs_server.adapters.generators.outcome import site_of
from techdocs_server.domain.build import BuildWarning, LogLine, Severity
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.sandbox.records import MARK, Failed, Finished


class Stream:
    """Feeds an output and keeps what it logs."""

    def __init__(self, *, max_lines: int = 100) -> None:
        self.lines: list[LogLine] = []
        self.output = BuildOutput(self.lines.append, paths=MachinePaths({"/tree": ""}), max_lines=max_lines)

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.output.feed(piece)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


def record(kind: str, **values: str | int) -> bytes:
    return MARK + json.dumps({"record": kind, **values}).encode() + b"\n"


FINISHED = record("finished", site_name="Demo", site_description="")


def test_record_after_an_unfinished_print_is_still_one() -> None:
    stream = Stream()
    stream.feed(b"progress ...", record("log", level="error", text="in /tree/docs"), FINISHED)
    assert stream.lines == [LogLine(Severity.INFO, "progress ..."), LogLine(Severity.ERROR, "in docs")]
    assert stream.output.outcome == Finished("Demo", "")


def test_last_outcome_counts() -> None:
    stream = Stream()
    stream.feed(FINISHED, record("failed", error="no"))
    assert stream.output.outcome == Failed("no")


@pytest.mark.parametrize("forged", [MARK + b"{}\n", MARK + b"not json\n", record("log", level="info", size="1")])
def test_what_only_looks_like_a_record_is_a_print(forged: bytes) -> None:
    stream = Stream()
    stream.feed(forged)
    assert stream.texts == [forged[1:-1].decode()]
    assert stream.output.outcome is None


def test_unknown_level_is_information() -> None:
    stream = Stream()
    stream.feed(record("log", level="loud", text="x"))
    assert stream.lines == [LogLine(Severity.INFO, "x")]


def test_last_line_needs_no_newline() -> None:
    stream = Stream()
    stream.feed(b"one\r\ntwo\rthree")
    assert stream.texts == ["one"]
    stream.output.end()
    assert stream.texts == ["one", "two", "three"]


def test_outcome_is_found_in_and_after_a_flood() -> None:
    stream = Stream(max_lines=2)
    stream.feed(b"1\n2\n3\n", b"4\n" * 1000, b"4 without end", b" goes on", FINISHED[:10], FINISHED[10:], b"5\n" * 10)
    assert stream.texts == ["1", "2", "the log is cut here: it has more than 2 lines"]
    assert stream.lines[-1].severity is Severity.WARNING
    assert stream.output.outcome == Finished("Demo", "")


def warning(message: str, *, file: str = "", line: int = 0) -> bytes:
    return record("warning", message=message, file=file, line=line)


def test_warnings_are_kept_once_and_safe() -> None:
    stream = Stream()
    stream.feed(warning("in /tree/docs\x1b[31m", file="/tree/mkdocs.yml", line=-1), *[warning("a", line=2**40)] * 2)
    assert stream.output.warnings == (
        BuildWarning("in docs", "mkdocs.yml", 0),
        BuildWarning("a", "", 2**31 - 1),
    )
    assert stream.lines == []


def test_too_many_warnings_are_counted() -> None:
    stream = Stream()
    stream.feed(*[warning(str(number)) for number in range(203)])
    assert len(stream.output.warnings) == 201
    assert stream.output.warnings[-1] == BuildWarning("3 more warnings are in the log")


@pytest.mark.parametrize(
    ("reason", "understood"),
    [
        ("CONFIG_INVALID", BuildFailureReason.CONFIG_INVALID),
        ("CONFIG_REFUSED", BuildFailureReason.CONFIG_REFUSED),
        ("MKDOCS_FAILED", BuildFailureReason.MKDOCS_FAILED),
        ("ISOLATION_UNAVAILABLE", BuildFailureReason.MKDOCS_FAILED),
        ("nonsense", BuildFailureReason.MKDOCS_FAILED),
    ],
)
def test_failure_says_where_and_what_to_do_for_reasons_a_build_can_know(
    reason: str, understood: BuildFailureReason
) -> None:
    stream = Stream()
    stream.feed(record("failed", error="no /tree/x", reason=reason, file="mkdocs.yml", line=3, hint="write y"))
    with pytest.raises(BuildStepFailed) as caught:
        site_of(stream.output, 1)
    failure = caught.value
    assert (failure.problem, failure.reason) == ("no x", understood)
    assert (failure.file, failure.line, failure.hint) == ("mkdocs.yml", 3, "write y")


def test_killed_build_says_so_whatever_it_said_before() -> None:
    stream = Stream()
    stream.feed(FINISHED)
    with pytest.raises(BuildStepFailed) as caught:
        site_of(stream.output, -9)
    assert caught.value.reason is BuildFailureReason.KILLED
