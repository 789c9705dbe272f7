"""Records: what is written is what is read, and nothing else is taken for one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from techdocs_server.sandbox.records import (
    CONFIG_REFUSED,
    MARK,
    MAX_RECORD_BYTES,
    MAX_TEXT_BYTES,
    Failed,
    Finished,
    LogRecord,
    Record,
    RecordWriter,
    WarningRecord,
    parse_record,
)


class Pipe:
    """A writer, and what came out of it."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        self.writer = RecordWriter(write)
        os.close(write)

    def lines(self) -> list[bytes]:
        os.set_blocking(self._read, False)
        return os.read(self._read, 10**6).split(b"\n")[:-1]

    def records(self) -> list[Record | None]:
        return [parse_record(line.removeprefix(MARK)) for line in self.lines()]


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def test_records_are_read_as_they_were_written(pipe: Pipe) -> None:
    pipe.writer.log("warning", "zwei\nZeilen \u2028 drei")
    pipe.writer.finished(site_name="Größe", site_description="")
    pipe.writer.failed("first\n  second")
    pipe.writer.failed("no", reason=CONFIG_REFUSED, file="mkdocs.yml", line=7, hint="do\nthis")
    pipe.writer.warning("two\nlines", file="docs/a.md", line=3)
    pipe.writer.warning("nowhere")
    assert pipe.records() == [
        LogRecord("warning", "zwei"),
        LogRecord("warning", "Zeilen "),
        LogRecord("warning", " drei"),
        Finished("Größe", ""),
        Failed("first second"),
        Failed("no", CONFIG_REFUSED, "mkdocs.yml", 7, "do this"),
        WarningRecord("two lines", "docs/a.md", 3),
        WarningRecord("nowhere", "", 0),
    ]


@pytest.mark.parametrize("character", ["x", "é", "€", "😀", "\x01", "\ud800", '"'])
def test_record_of_any_text_fits_the_readers_buffer(pipe: Pipe, character: str) -> None:
    pipe.writer.log("info", character * 20_000)
    (line,) = pipe.lines()
    assert len(line) <= MAX_RECORD_BYTES
    record = parse_record(line.removeprefix(MARK))
    assert isinstance(record, LogRecord)
    assert MAX_TEXT_BYTES - 4 < len(record.text.encode("utf-8", "surrogatepass")) <= MAX_TEXT_BYTES * 3


@pytest.mark.parametrize("character", ["x", "😀", "\x01"])
def test_failure_of_long_texts_fits_the_readers_buffer(tmp_path: Path, character: str) -> None:
    text = character * 20_000
    with (tmp_path / "records").open("wb") as file:
        RecordWriter(file.fileno()).failed(text, file=text, hint=text, line=2**31)
    line = (tmp_path / "records").read_bytes()
    assert len(line) <= MAX_RECORD_BYTES
    assert isinstance(parse_record(line.removeprefix(MARK)), Failed)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"1",
        b"nonsense",
        b"\xff",
        b'{"record": "other"}',
        b'{"record": ["log"]}',
        b'{"record": "log", "level": "info"}',
        b'{"record": "log", "level": "info", "text": 1}',
        b'{"record": "failed", "error": "x", "more": "y"}',
        b'{"record": "warning", "message": "x", "file": "y", "line": "1"}',
        b'{"record": "warning", "message": "x", "file": "y", "line": true}',
        b'{"record": "warning", "message": "x", "file": 1, "line": 1}',
        b'{"record": "warning", "message": "x"}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_no_record(line: bytes) -> None:
    assert parse_record(line) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(line: bytes) -> None:
    parse_record(line)
