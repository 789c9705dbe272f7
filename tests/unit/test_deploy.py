"""The deployment in ``deploy/``: what it sets are settings, what it runs are commands, and only this machine reaches it."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from techdocs_server.cli import main
from techdocs_server.settings import Settings, load_settings
from techdocs_server.stores import shares_stores

from tests.support.postgresql import PostgreSQL
from tests.support.replicas import shared_stores
from tests.support.seaweedfs import SeaweedFS

DEPLOY = Path(__file__).parents[2] / "deploy"
OWN = ("server", "worker", "bridge")
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def env_file() -> dict[str, str]:
    lines = (DEPLOY / "compose.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """Put values in as Docker Compose does; those that are required must be there."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        if values.get(name):
            return values[name]
        assert kind == "-", f"{name} is not in compose.env.example"
        return default

    return _VARIABLE.sub(value, text)


@pytest.fixture
def compose() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load(interpolated((DEPLOY / "compose.yaml").read_text(), env_file())))


def environment_of(compose: Mapping[str, Any], service: str) -> dict[str, str]:
    return dict(compose["services"][service].get("environment", {}))


@pytest.mark.parametrize("service", OWN)
def test_what_a_process_is_told_are_settings_that_load(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = environment_of(compose, service)
    known = {f"TECHDOCS_{name.upper()}" for name in Settings.model_fields}
    assert told
    assert set(told) <= known
    for name in [name for name in os.environ if name.startswith("TECHDOCS_")]:
        monkeypatch.delenv(name)
    for name, value in told.items():
        assert isinstance(value, str), f"{name} must be quoted"
        monkeypatch.setenv(name, value)
    settings = load_settings(None, os.environ)
    assert shares_stores(settings) is (service != "bridge")


@pytest.mark.parametrize("service", OWN)
def test_what_a_process_runs_is_a_command(compose: dict[str, Any], service: str) -> None:
    (command,) = compose["services"][service]["command"]
    assert command == service
    assert command in main.commands


@pytest.mark.parametrize("service", ["server", "worker"])
def test_stores_are_named_as_the_tests_name_them(compose: dict[str, Any], service: str) -> None:
    names = {f"TECHDOCS_{name.upper()}" for name in shared_stores_names()}
    stores = {name for name in environment_of(compose, service) if "_S3_" in name or "DATABASE" in name}
    assert stores == names
    assert environment_of(compose, "server")["TECHDOCS_S3_BUCKET"] == "techdocs"


def shared_stores_names() -> set[str]:
    class Nowhere(PostgreSQL):
        def new_database(self) -> str:
            return "postgresql+psycopg://nobody@127.0.0.1/nothing"

    s3 = SeaweedFS(Path(), [], "http://127.0.0.1:1", "", cast(Any, None))
    return set(shared_stores(s3, Nowhere("", None), ""))


def test_only_this_machine_reaches_it(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not [name for name, service in compose["services"].items() if "network_mode" in service]


def test_everything_waits_until_what_it_needs_is_well(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for the health of {needed}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[needed]["restart"] == "no"
    assert set(services["server"]["depends_on"]) == set(services["worker"]["depends_on"]) == {"postgresql", "bucket"}
    assert set(services["bridge"]["depends_on"]) == {"server"}
    assert [services[name]["deploy"]["replicas"] for name in ("server", "worker")] == [2, 2]


@pytest.mark.parametrize("service", ["server", "bridge"])
def test_health_is_asked_of_the_port_that_it_listens_on(compose: dict[str, Any], service: str) -> None:
    program, flag, code = compose["services"][service]["healthcheck"]["test"][1:]
    assert (program, flag) == ("python", "-c")
    ast.parse(code)
    listen = environment_of(compose, service)[f"TECHDOCS_{service.upper()}_LISTEN"]
    assert f"127.0.0.1:{listen.rpartition(':')[2]}" in code


def test_s3_server_knows_the_key_that_the_processes_have(compose: dict[str, Any]) -> None:
    mounted = {each["target"] for each in compose["services"]["s3"]["configs"]}
    assert any(
        argument == f"-s3.config={path}" for path in mounted for argument in compose["services"]["s3"]["command"]
    )
    (identity,) = json.loads(compose["configs"]["s3"]["content"])["identities"]
    told = environment_of(compose, "worker")
    (key,) = identity["credentials"]
    assert key == {"accessKey": told["TECHDOCS_S3_ACCESS_KEY"], "secretKey": told["TECHDOCS_S3_SECRET_KEY"]}
    assert f"s3.bucket.create -name={told['TECHDOCS_S3_BUCKET']}" in compose["services"]["bucket"]["command"][0]


def test_processes_of_one_image_share_no_data_directory(compose: dict[str, Any]) -> None:
    for service in OWN:
        assert "TECHDOCS_DATA_DIRECTORY" not in environment_of(compose, service)
        targets = [volume.split(":")[-2] for volume in compose["services"][service].get("volumes", [])]
        assert not [target for target in targets if target.startswith("/var/lib/techdocs")]


def test_no_secret_is_in_the_files(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    secrets = [value for name, value in env_file().items() if name.endswith(("PASSWORD", "SECRET_KEY"))]
    assert len(secrets) == 2
    assert all(secret.startswith("change-me") and secret not in text for secret in secrets)
