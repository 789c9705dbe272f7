import asyncio
import json
import os
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from techdocs_server.cli import main
from techdocs_server.settings import Settings, load_settings

from tests.support.services import environment

# These take settings alone; import and recover take more than they need.
WITHOUT_OPTIONS = ("bridge", "check-config", "import", "openapi", "serve", "server", "worker")
OPERATORS = ("builds", "changes", "delete", "gc", "logs", "pin", "revisions", "rollback", "sites", "unpin")
COMMANDS = tuple(sorted((*WITHOUT_OPTIONS, *OPERATORS, "build", "publish", "recover")))
EXIT_CONFIG = 78
CHANGED: dict[str, object] = {
    "data_directory": '/srv/dokumente, 文档 \U0001f4d8 "quoted" back\\slash',
    "catalog": "tab\there",
    "catalog_type": "backstage",
    "backstage_url": "http://127.0.0.1:7007",
    "backstage_plugin_urls": {"catalog": "http://catalog:7007/api/catalog"},
    "authentication": "backstage",
    "policy": "catalog",
    "external_access": [
        {
            "type": "jwks",
            "subject": None,
            "token": None,
            "secret": None,
            "url": "https://provider.example/keys",
            "issuer": ["https://provider.example"],
            "audience": [],
            "algorithm": ["ES256", "EdDSA"],
            "subject_prefix": "provider",
            "access_restrictions": [{"plugin": "techdocs"}],
            "permissions": ["publish"],
        }
    ],
    "grants": [{"subject": "user:default/*", "permissions": ["admin", "read"]}],
    "catalog_file_root": "/srv/files",
    "builder": "external",
    "server_listen": "[::1]:1",
    "server_drain_seconds": 0.5,
    "server_max_concurrent_calls": 1,
    "server_reflection_enabled": False,
    "server_tls_certificate": "cert.pem",
    "server_tls_key": "key.pem",
    "bridge_listen": "0.0.0.0:2",
    "bridge_server_target": "dns:///server:7070",
    "bridge_server_ca": "ca.pem",
    "bridge_mount": "",
    "bridge_cache_bytes": 0,
    "bridge_external_url": "https://docs.example",
    "bridge_cors_origins": ["https://backstage.example"],
    "bridge_trusted_proxies": ["10.0.0.0/8"],
    "bridge_client_timeout_seconds": 1.5,
    "bridge_header_timeout_seconds": 2.5,
    "bridge_idle_timeout_seconds": 3,
    "bridge_drain_delay_seconds": 4.5,
    "bridge_heartbeat_seconds": 5.5,
    "bridge_max_body_bytes": 4096,
    "bridge_max_header_bytes": 8192,
    "bridge_max_connections": 12,
    "bridge_max_concurrent_requests": 13,
    "bridge_max_concurrent_streams": 14,
    "build_external_fonts": False,
    "refresh_interval_seconds": 0.25,
    "build_isolation": "require",
    "build_render_processes": 9,
    "build_prune_navigation_above": 10,
    "build_max_memory_bytes": 3,
    "build_max_processes": 4,
    "build_cpu_seconds": 5,
    "build_allowed_plugins": {"macros": ["include_dir"]},
    "build_readme_as_index": True,
    "build_diagrams": True,
    "source_hosts": [
        {
            "host": "git.example:8443",
            "type": "gitea",
            "token": None,
            "username": "reader",
            "base_path": "/git",
            "allow_http": True,
            "allow_private_addresses": True,
            "ca_certificates": "ca.pem",
        }
    ],
    "build_concurrency": 3,
    "build_queue_limit": 4,
    "build_timeout_seconds": 1e6,
    "build_python": "/opt/python",
    "source_max_bytes": 5,
    "source_max_files": 6,
    "site_max_bytes": 7,
    "site_max_files": 8,
    "publish_enabled": False,
    "publish_blob_grace_seconds": 60.0,
    "reuse_max_bytes": 11,
    "s3_bucket": "docs",
    "s3_endpoint": "http://s3.example:9000",
    "s3_prefix": "techdocs/",
    "s3_region": "eu-central-1",
    "s3_encryption": "AES256",
    "s3_credentials_file": "credentials",
    "s3_credentials_profile": "profile",
    "s3_ca_certificates": "ca.pem",
    "backstage_bucket": "backstage",
    "backstage_prefix": "docs/",
    # The other one does not go with a mirror.
    "backstage_case": "lower",
    "mirror_classic": True,
    "mirror_removal_grace_seconds": 12.0,
    "compress_variants": False,
    "gc_interval_seconds": 0.5,
    "gc_grace_seconds": 0.75,
    "retention_revisions": 12,
    "retention_days": 1.5,
    "log_level": "error",
    "log_format": "json",
    "serve_without_authentication": True,
}

SECRETS = {
    "bridge_token": "hidden" * 6,
    "database_url": "postgresql://user:hidden@host/database",
    "s3_access_key": "hidden",
    "s3_secret_key": "hidden",
    "s3_session_token": "hidden",
}


@pytest.fixture(autouse=True)
def no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("TECHDOCS_"):
            monkeypatch.delenv(name)


def run(*arguments: str, **settings: object) -> Result:
    """Run the command in this process."""
    variables = {f"TECHDOCS_{name.upper()}": _text(value) for name, value in settings.items()}
    return CliRunner(env=variables).invoke(main, arguments)


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


async def started(*arguments: str, **settings: object) -> tuple[int, str, str]:
    """Run the command in a process of its own; return its exit status, what it said and what it logged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "techdocs_server",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment({"server_listen": "127.0.0.1:0", "bridge_listen": "127.0.0.1:0"} | settings),
    )
    try:
        async with asyncio.timeout(30):
            said, logged = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(), logged.decode()


def test_the_version_is_that_of_the_distribution() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"techdocs, version {version('techdocs-service')}\n")


def test_help_lists_every_command_with_what_it_does() -> None:
    assert isinstance(main, click.Group)
    assert tuple(sorted(main.commands)) == COMMANDS
    result = run("--help")
    rows = [line.split(maxsplit=1) for line in result.stdout.partition("Commands:")[2].splitlines() if line]
    assert result.exit_code == 0
    assert [row[0] for row in rows] == list(COMMANDS)
    assert all(len(row) == 2 for row in rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = run(command, "-h")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"techdocs {command}" in result.stdout or f"main {command}" in result.stdout


def test_check_config_prints_toml_that_loads_again_as_the_same_settings(tmp_path: Path) -> None:
    assert set(CHANGED) | set(SECRETS) == set(Settings.model_fields)
    printed = run("check-config", **CHANGED)
    assert (printed.exit_code, printed.stderr) == (0, "")
    path = tmp_path / "again.toml"
    path.write_text(printed.stdout, "utf-8")
    again = load_settings(path, {})
    assert again.model_dump(mode="json") == {**CHANGED, **dict.fromkeys(SECRETS)}
    assert run("--config", str(path), "check-config").stdout == printed.stdout


def test_check_config_shows_no_secret() -> None:
    printed = run("check-config", **SECRETS)
    assert printed.exit_code == 0
    assert "hidden" not in printed.output
    for name in SECRETS:
        assert f"# {name} is set, and not shown" in printed.stdout.splitlines()


def test_check_config_of_the_defaults_loads_again(tmp_path: Path) -> None:
    printed = run("check-config").stdout
    path = tmp_path / "again.toml"
    path.write_text(printed)
    assert load_settings(path, {}).model_dump() == load_settings(None, {}).model_dump()
    assert tomllib.loads(printed)["build_concurrency"] == 2


def test_check_config_says_what_each_setting_means() -> None:
    lines = run("check-config").stdout.splitlines()
    for name in Settings.model_fields:
        [position] = [at for at, line in enumerate(lines) if line.startswith((f"{name} =", f"# {name} is not set"))]
        assert lines[position - 1].startswith("# ")


@pytest.mark.parametrize("command", WITHOUT_OPTIONS)
def test_bad_settings_end_every_command_with_status_78_and_a_sentence(command: str) -> None:
    result = run(command, build_concurrency=0, build_queue_limit="many")
    assert (result.exit_code, result.stdout) == (EXIT_CONFIG, "")
    lines = result.stderr.splitlines()
    assert [line.split()[1] for line in lines] == ["build_concurrency", "build_queue_limit"]
    assert all(line.startswith("techdocs: ") for line in lines)


@pytest.mark.parametrize("origin", ["https://a..b", "https://a.b.", "https://.a", "https://*.*", "a.b", "https://a/"])
@pytest.mark.parametrize("command", ["bridge", "check-config", "serve"])
def test_origin_that_the_bridge_would_refuse_is_a_bad_setting(command: str, origin: str) -> None:
    result = run(command, bridge_cors_origins=["https://backstage.example.com", origin])
    assert (result.exit_code, result.stdout) == (EXIT_CONFIG, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("techdocs: bridge_cors_origins: must be origins like ")
    assert line.endswith(repr(origin))


@pytest.mark.parametrize("command", WITHOUT_OPTIONS)
def test_a_configuration_file_that_is_not_there_is_a_bad_setting(command: str, tmp_path: Path) -> None:
    result = run("--config", str(tmp_path / "absent.toml"), command)
    assert (result.exit_code, result.stdout) == (EXIT_CONFIG, "")
    assert "absent.toml: cannot be read" in result.stderr


def test_a_folder_is_no_configuration_file(tmp_path: Path) -> None:
    result = run("--config", str(tmp_path), "check-config")
    assert result.exit_code == EXIT_CONFIG
    assert "cannot be read: Is a directory" in result.stderr


def test_openapi_prints_the_document_of_the_address_that_is_served() -> None:
    document = json.loads(run("openapi", bridge_listen="127.0.0.1:8123", bridge_mount="/docs-api").stdout)
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "http://127.0.0.1:8123/docs-api"}]
    assert document["info"]["version"] == version("techdocs-service")
    other = json.loads(run("openapi", "--server-url", "https://docs.example.com/api").stdout)
    assert other["servers"] == [{"url": "https://docs.example.com/api"}]


async def test_bad_settings_end_a_process_without_a_traceback(tmp_path: Path) -> None:
    status, said, logged = await started("serve", data_directory=tmp_path / "data", sever_listen="x")
    assert (status, said) == (EXIT_CONFIG, "")
    assert logged.splitlines() == [
        "techdocs: environment variable TECHDOCS_SEVER_LISTEN is not a setting; did you mean server_listen?"
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("data_directory", "a-file/below", "Not a directory"),
        ("build_python", "/nonexistent/python", "build_python: /nonexistent/python"),
        ("server_tls", "absent.pem", "absent.pem: No such file or directory"),
    ],
)
async def test_a_start_that_fails_ends_with_status_1_and_a_sentence(
    tmp_path: Path, setting: str, value: str, words: str
) -> None:
    (tmp_path / "a-file").write_text("")
    settings: dict[str, object] = {"data_directory": tmp_path / "data"}
    if setting == "server_tls":
        settings |= {"server_tls_certificate": tmp_path / value, "server_tls_key": tmp_path / value}
    else:
        settings[setting] = tmp_path / value
    status, said, logged = await started("server", **settings)
    assert (status, said) == (1, "")
    assert "Traceback" not in logged
    [line] = logged.splitlines()
    assert line.startswith(f"techdocs: {setting}")
    assert words in line


async def test_tls_files_that_hold_no_certificate_are_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    settings = {"server_tls_certificate": tmp_path / "no.pem", "server_tls_key": tmp_path / "no.pem"}
    status, said, logged = await started("server", data_directory=tmp_path / "data", **settings)
    assert (status, said) == (1, "")
    assert "Traceback" not in logged
    assert "server_tls_certificate" in logged


async def test_a_bridge_without_its_certificate_authority_does_not_start(tmp_path: Path) -> None:
    status, said, logged = await started("bridge", bridge_server_ca=tmp_path / "absent.pem")
    assert (status, said) == (1, "")
    [line] = logged.splitlines()
    assert line.startswith("techdocs: bridge_server_ca: ")


def test_an_import_without_a_bucket_says_which_setting_is_missing(tmp_path: Path) -> None:
    result = run("import", data_directory=tmp_path)
    assert result.exit_code == 2
    assert result.stderr == "techdocs: backstage_bucket: it must be set to the bucket to import from\n"


SHAPE = "must be NAMESPACE/KIND/NAME"


@pytest.mark.parametrize(
    ("entity", "words"),
    [("demo", SHAPE), ("default/demo", SHAPE), ("a/b/c/d", SHAPE), ("default/compo nent/demo", "kind 'compo nent'")],
)
def test_an_import_of_what_is_no_entity_is_refused(entity: str, words: str) -> None:
    result = run("import", "--entity", "default/Component/Fine", "--entity", entity)
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_import_from_a_bucket_that_cannot_be_reached_ends_with_its_setting(tmp_path: Path) -> None:
    server = {"s3_endpoint": "http://127.0.0.1:9", "s3_access_key": "a", "s3_secret_key": "b"}
    result = run("import", data_directory=tmp_path, backstage_bucket="docs", **server)
    assert result.exit_code == 2
    assert "backstage_bucket: storage is unavailable: the S3 server cannot be reached" in result.stderr
