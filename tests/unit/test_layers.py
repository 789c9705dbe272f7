"""The import rules of pyproject.toml, each broken once on purpose: a rule that never fails proves nothing."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

SERVER = "Server layers point downwards, and every module has one"
BRIDGE = "Bridge layers point downwards, and every module has one"
SHARED = "Server and bridge share the contract and nothing else"

VIOLATIONS: tuple[tuple[str, str, str], ...] = (
    (SERVER, "server/techdocs_server/services/reading.py", "import techdocs_server.adapters.blobs.memory"),
    (SERVER, "server/techdocs_server/adapters/clock.py", "import techdocs_server.services.reading"),
    (SERVER, "server/techdocs_server/domain/digest.py", "import techdocs_server.ports.blobs"),
    (SERVER, "server/techdocs_server/ports/clock.py", "import techdocs_server.services.reading"),
    (SERVER, "server/techdocs_server/services/reading.py", "import techdocs_server.rpc.convert"),
    (SERVER, "server/techdocs_server/rpc/convert.py", "import techdocs_server.bootstrap"),
    (SERVER, "server/techdocs_server/sandbox/build.py", "import techdocs_server.domain.digest"),
    (SERVER, "server/techdocs_server/domain/digest.py", "import techdocs_server.sandbox.records"),
    (SERVER, "server/techdocs_server/utils.py", "import json"),
    (BRIDGE, "bridge/techdocs_bridge/settings.py", "import techdocs_bridge.app"),
    (BRIDGE, "bridge/techdocs_bridge/transcoding/scalars.py", "import techdocs_bridge.client"),
    (BRIDGE, "bridge/techdocs_bridge/utils.py", "import json"),
    (
        "The gRPC edge never reaches an adapter",
        "server/techdocs_server/rpc/convert.py",
        "import techdocs_server.adapters",
    ),
    (
        "The command's client knows the contract and nothing else of the service",
        "server/techdocs_server/client/failures.py",
        "import techdocs_server.rpc.status",
    ),
    (
        "Settings are read at the top only",
        "server/techdocs_server/services/reading.py",
        "import techdocs_server.settings",
    ),
    ("Settings are read at the top only", "server/techdocs_server/adapters/clock.py", "import pydantic_settings"),
    ("The wire stays at the edge", "server/techdocs_server/domain/digest.py", "import grpc"),
    ("The wire stays at the edge", "server/techdocs_server/services/reading.py", "import techdocs.v1.docs_pb2"),
    ("The wire stays at the edge", "server/techdocs_server/adapters/clock.py", "import google.protobuf"),
    ("The wire stays at the edge", "server/techdocs_server/sandbox/build.py", "import grpc"),
    ("MkDocs is imported in the sandbox only", "server/techdocs_server/adapters/clock.py", "import mkdocs.config"),
    ("MkDocs is imported in the sandbox only", "bridge/techdocs_bridge/status.py", "import mkdocs"),
    ("SQL is spoken in adapters only", "server/techdocs_server/services/reading.py", "import sqlalchemy"),
    ("SQL is spoken in adapters only", "server/techdocs_server/ports/records.py", "import alembic"),
    ("The web framework is the bridge's own", "server/techdocs_server/rpc/server.py", "import starlette.requests"),
    ("The web framework is the bridge's own", "server/techdocs_server/running.py", "import uvicorn"),
    (SHARED, "bridge/techdocs_bridge/status.py", "import techdocs_server.domain.errors"),
    ("Only what starts processes knows both", "server/techdocs_server/rpc/status.py", "import techdocs_bridge.status"),
)


def contracts() -> set[str]:
    document = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return {contract["name"] for contract in document["tool"]["importlinter"]["contracts"]}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("import-linter")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of all that the rules speak about."""
    for root in ("server", "bridge"):
        shutil.copytree(PROJECT / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path, cache: Path) -> tuple[int, dict[str, str]]:
    """Check the rules in a folder; return the exit status, and KEPT or BROKEN for each rule."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "server"), str(folder / "bridge")])}
    done = subprocess.run(
        ["lint-imports", "--cache-dir", str(cache)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line.rpartition(" ") for line in done.stdout.splitlines()]
    return done.returncode, {name: outcome for name, _, outcome in lines if outcome in ("KEPT", "BROKEN")}


def test_the_code_keeps_every_rule(copy: Path, cache: Path) -> None:
    status, outcomes = lint(copy, cache)
    assert (status, set(outcomes.values())) == (0, {"KEPT"})
    assert set(outcomes) == contracts()


def test_every_rule_is_broken_here_at_least_once() -> None:
    assert {name for name, _, _ in VIOLATIONS} == contracts()


@pytest.mark.parametrize(("contract", "module", "statement"), VIOLATIONS, ids=lambda value: value.rpartition("/")[2])
def test_a_deliberate_violation_is_refused(copy: Path, cache: Path, contract: str, module: str, statement: str) -> None:
    with (copy / module).open("a") as file:
        file.write(f"\n{statement}\n")
    status, outcomes = lint(copy, cache)
    assert (status, outcomes[contract]) == (1, "BROKEN")
