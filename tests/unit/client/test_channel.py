from pathlib import Path

import click
import grpc
import pytest
from click.testing import CliRunner, Result
from techdocs_server.client.channel import TOKEN_VARIABLE, ClientOptions, open_channel, report_errors, server_options
from techdocs_server.client.failures import ClientFailed, ExitStatus

from tests.support.certificates import certificate
from tests.support.ports import free_port
from tests.unit.client.serving import Answer, abort, serving, version_of


@click.command()
@server_options
def version_command(options: ClientOptions) -> None:
    with report_errors(), open_channel(options) as channel:
        click.echo(version_of(channel, seconds=options.timeout_seconds))


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={TOKEN_VARIABLE: "", **environment}).invoke(version_command, arguments)


def asked_by(context: grpc.ServicerContext) -> str:
    return str(dict(context.invocation_metadata() or ()).get("authorization", "nobody"))


def test_a_command_gets_its_options_as_one_value_and_prints_what_the_server_says() -> None:
    with serving(lambda _: "7.1") as port:
        result = run("--server", f"127.0.0.1:{port}")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "7.1\n", "")


def test_the_token_of_the_environment_goes_with_every_call() -> None:
    with serving(asked_by) as port:
        assert run("--server", f"127.0.0.1:{port}").stdout == "nobody\n"
        assert run("--server", f"127.0.0.1:{port}", TECHDOCS_TOKEN="s3cret").stdout == "Bearer s3cret\n"


def test_the_token_of_a_file_wins_and_its_line_end_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    with serving(asked_by) as port:
        result = run("--server", f"127.0.0.1:{port}", "--token-file", str(tmp_path / "token"), TECHDOCS_TOKEN="other")
    assert result.stdout == "Bearer from-file\n"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words", b"line\nline", "schlüssel".encode(), b"\xff"])
def test_a_token_file_that_holds_no_token_ends_the_command_before_any_call(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    result = run("--token-file", str(tmp_path / "token"))
    assert result.exit_code == ExitStatus.CONFIGURATION
    assert result.stderr.startswith("techdocs: --token-file: ")
    assert "schl" not in result.stderr


@pytest.mark.parametrize("server", ["docs.example.com:7070", "10.0.0.1:7070", "localhost.example.com:1"])
def test_a_token_leaves_this_machine_unencrypted_only_when_told_so(server: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN_VARIABLE, "s3cret")
        with pytest.raises(ClientFailed, match="--insecure-token") as failed:
            open_channel(ClientOptions(server))
        assert failed.value.status is ExitStatus.CONFIGURATION
        assert "s3cret" not in failed.value.message
        open_channel(ClientOptions(server, insecure_token=True)).close()
        open_channel(ClientOptions(server, tls=True)).close()
        patch.delenv(TOKEN_VARIABLE)
        open_channel(ClientOptions(server)).close()


@pytest.mark.parametrize("server", ["127.0.0.1:7070", "127.9.9.9:1", "[::1]:7070", "localhost:7070"])
def test_servers_on_this_machine_may_be_told_the_token(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
    open_channel(ClientOptions(server)).close()


def test_tls_is_by_the_certificates_given(tmp_path: Path) -> None:
    own, other = certificate(tmp_path, name="127.0.0.1"), certificate(tmp_path, name="127.0.0.2")
    with serving(asked_by, tls=(tmp_path / "127.0.0.1.key", own.file)) as port:
        good = run("--server", f"127.0.0.1:{port}", "--ca", str(own.file), TECHDOCS_TOKEN="s3cret")
        bad = run("--server", f"127.0.0.1:{port}", "--ca", str(other.file), "--timeout", "2")
        absent = run("--server", f"127.0.0.1:{port}", "--ca", str(tmp_path / "absent.pem"))
    assert (good.exit_code, good.stdout) == (0, "Bearer s3cret\n")
    assert bad.exit_code == ExitStatus.UNAVAILABLE
    assert absent.exit_code == ExitStatus.CONFIGURATION


@pytest.mark.parametrize(
    "server", ["host", "host:", ":1", "host:0", "host:65536", "http://host:1", "::1:7070", "a/b:1"]
)
def test_what_is_no_host_and_port_is_a_wrong_command_line(server: str) -> None:
    result = run("--server", server)
    assert result.exit_code == ExitStatus.USAGE
    assert "--server" in result.stderr


def conflict(context: grpc.ServicerContext) -> str:
    return abort(context, grpc.StatusCode.ABORTED, "REVISION_CONFLICT", "another\npublish came first")


def build_failed(context: grpc.ServicerContext) -> str:
    return abort(context, grpc.StatusCode.ABORTED, "BUILD_FAILED", "it failed")


def overloaded(context: grpc.ServicerContext) -> str:
    return abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_OVERLOADED", "too many", retry_seconds=1)


def too_large(context: grpc.ServicerContext) -> str:
    return abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "too large")


def storage(context: grpc.ServicerContext) -> str:
    return abort(context, grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", "full")


def unimplemented(context: grpc.ServicerContext) -> str:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "no such method")
    raise AssertionError


@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        (conflict, ExitStatus.CONFLICT, "another publish came first (REVISION_CONFLICT)"),
        (build_failed, ExitStatus.REFUSED, "it failed (BUILD_FAILED)"),
        (overloaded, ExitStatus.UNAVAILABLE, "too many (SERVER_OVERLOADED)"),
        (too_large, ExitStatus.REFUSED, "too large (QUOTA_EXCEEDED)"),
        (storage, ExitStatus.UNAVAILABLE, "full (STORAGE_UNAVAILABLE)"),
        (unimplemented, ExitStatus.REFUSED, "no such method (UNIMPLEMENTED)"),
    ],
)
def test_a_failed_call_is_one_line_and_an_exit_status(answer: Answer, status: ExitStatus, line: str) -> None:
    with serving(answer) as port:
        result = run("--server", f"127.0.0.1:{port}")
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", f"techdocs: {line}\n")


def test_a_server_that_is_not_there_is_said_in_one_line() -> None:
    result = run("--server", f"127.0.0.1:{free_port()}")
    assert (result.exit_code, result.stdout) == (ExitStatus.UNAVAILABLE, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("techdocs: the server cannot be reached: ")
    assert "Connection refused" in line


def test_a_server_that_does_not_answer_in_time_is_unavailable() -> None:
    def slow(context: grpc.ServicerContext) -> str:
        while context.is_active():
            context.time_remaining()
        return ""

    with serving(slow) as port:
        result = run("--server", f"127.0.0.1:{port}", "--timeout", "0.3")
    assert result.exit_code == ExitStatus.UNAVAILABLE
    assert result.stderr == "techdocs: the server did not answer in time (DEADLINE_EXCEEDED)\n"
