"""The command line of ``techdocs publish``; what it does is in the integration tests."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from techdocs_server.cli import main
from techdocs_server.client.failures import ExitStatus
from techdocs_server.client.progress import counted, readable_bytes, shown_progress

from tests.support.ports import free_port
from tests.support.publishing import write_site


def run(folder: Path, *arguments: str, token: str = "") -> Result:
    command = ("publish", "--entity", "default/component/docs", "--directory", str(folder), *arguments)
    return CliRunner(env={"TECHDOCS_TOKEN": token}).invoke(main, command)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"index.html": b"x"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--entity", "docs"), "NAMESPACE/KIND/NAME"),
        (("--entity", "a/b/c/d"), "NAMESPACE/KIND/NAME"),
        (("--entity", "default/component/.."), "not a valid name"),
        (("--request-id", "x"), "UUID"),
        (("--server", "docs"), "host:port"),
        (("--timeout", "0"), "--timeout"),
        (("--directory", "/absent/folder"), "No such file or directory"),
        (("--directory", "/"), "has no index.html"),
    ],
)
def test_a_wrong_command_line_or_folder_is_status_2(site: Path, arguments: tuple[str, ...], words: str) -> None:
    if arguments == ("--directory", "/"):
        (site / "index.html").unlink()
        arguments = ()
    result = run(site, *arguments)
    assert result.exit_code == ExitStatus.USAGE
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_token_that_would_be_readable_on_its_way_is_status_78_and_nothing_is_read(tmp_path: Path) -> None:
    result = run(tmp_path / "absent", "--server", "docs.example.com:7070", token="s3cret")
    assert (result.exit_code, result.stdout) == (ExitStatus.CONFIGURATION, "")
    assert "--insecure-token" in result.stderr
    assert "s3cret" not in result.output


def test_a_server_that_is_not_there_is_status_4(site: Path) -> None:
    result = run(site, "--server", f"127.0.0.1:{free_port()}", "--timeout", "0.5")
    assert result.exit_code == ExitStatus.UNAVAILABLE
    assert result.stdout == "found 1 file, 1 B\n"
    *repeated, line = result.stderr.splitlines()
    assert line.startswith("techdocs: the server cannot be reached: ")
    assert all(each == f"{line}; trying again" for each in repeated)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3 * 10**12, "3000.0 GB")]
)
def test_sizes_are_readable(count: int, text: str) -> None:
    assert readable_bytes(count) == text
    assert (counted(1, "file"), counted(2, "file")) == ("1 file", "2 files")


def test_a_terminal_gets_a_bar_and_a_program_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for is_terminal, quiet, prints in ((True, False, True), (False, False, True), (True, True, False)):
        with shown_progress(is_terminal=is_terminal, quiet=quiet) as progress:
            progress.begins(contents=2, size_bytes=10)
            progress.sent(10)
        assert bool(capsys.readouterr().out) == prints
