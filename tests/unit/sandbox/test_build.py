"""A build in its own process: the same bytes as MkDocs' command line, and no life of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from techdocs_server.sandbox.isolation.plan import IsolationPlan
from techdocs_server.sandbox.launch import command, environment
from techdocs_server.sandbox.records import (
    CONFIG_INVALID,
    MARK,
    Failed,
    Finished,
    LogRecord,
    Record,
    WarningRecord,
    parse_record,
)

from tests.support.processes import is_running, written_pids
from tests.support.sites import (
    MONOREPO_FILES,
    PLAIN_PAGES,
    RICH_PAGES,
    files_below,
    mkdocs_config,
    write_files,
    write_site,
)
from tests.support.waiting import eventually

PYTHON = Path(sys.executable)


class Sandbox:
    """A tree, an output folder, and a private folder for the child."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.output, self.private = (folder / name for name in ("tree", "output", "private"))
        self.output.mkdir()
        self.private.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return dict(environment(PYTHON, private_directory=self.private))

    @property
    def command(self) -> Sequence[str]:
        """A build without isolation, which is tested elsewhere."""
        plan = IsolationPlan(
            frozenset(), tree=str(self.tree), writable=(str(self.private), str(self.output)), readable=()
        )
        return command(PYTHON, "build", plan.to_json())

    def build(self, **job: object) -> tuple[int, list[Record]]:
        """Run one job; return the exit code and the records."""
        whole = {"tree": str(self.tree), "output": str(self.output), "site_name": "Given", "parent": os.getpid(), **job}
        ended = subprocess.run(
            self.command,
            input=json.dumps(whole).encode(),
            env=self.environment,
            cwd=self.private,
            stdout=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        records = [parse_record(line[1:]) for line in ended.stdout.splitlines() if line.startswith(MARK)]
        return ended.returncode, [record for record in records if record]

    def mkdocs(self, config_name: str) -> dict[str, bytes]:
        """Run MkDocs' own command in the tree; return the files it makes."""
        output = self.private / "reference"
        subprocess.run(
            [PYTHON, "-m", "mkdocs", "build", "-q", "-f", config_name, "-d", output],
            env=self.environment,
            cwd=self.tree,
            check=True,
            timeout=60,
            capture_output=True,
        )
        return files_below(output)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.mark.parametrize(
    "files",
    [{"mkdocs.yml": mkdocs_config("Rich", repo_url="https://github.com/o/r"), **RICH_PAGES}, MONOREPO_FILES],
    ids=["rich", "monorepo"],
)
def test_output_is_that_of_the_command_line(sandbox: Sandbox, files: dict[str, str | bytes]) -> None:
    write_files(sandbox.tree, files)
    expected = sandbox.mkdocs("mkdocs.yml")
    exit_code, records = sandbox.build()
    assert (exit_code, isinstance(records[-1], Finished)) == (0, True)
    assert files_below(sandbox.output) == expected
    assert len(expected) > 10


def test_mkdocs_yaml_is_used_before_mkdocs_yml_with_a_warning(sandbox: Sandbox) -> None:
    write_site(sandbox.tree, config=mkdocs_config("Ignored"))
    write_files(sandbox.tree, {"mkdocs.yaml": mkdocs_config("Used")})
    exit_code, records = sandbox.build()
    assert (exit_code, records[-1]) == (0, Finished("Used", ""))
    warning = "both mkdocs.yaml and mkdocs.yml exist; mkdocs.yaml is used and mkdocs.yml is ignored"
    assert records[:2] == [LogRecord("warning", f"mkdocs.yml: {warning}"), WarningRecord(warning, "mkdocs.yml", 0)]


def test_wanted_configuration_is_used(sandbox: Sandbox) -> None:
    write_site(sandbox.tree)
    write_files(sandbox.tree, {"other.yml": mkdocs_config("Other")})
    assert sandbox.build(config="other.yml")[1][-1] == Finished("Other", "")
    assert sandbox.build(config="none.yml") == (
        1,
        [Failed("there is no none.yml", reason=CONFIG_INVALID, file="none.yml")],
    )


@pytest.mark.parametrize(
    "config",
    [mkdocs_config(plugins=None), mkdocs_config(plugins=["search"]), mkdocs_config(plugins={"search": {}})],
    ids=["no plugins", "a list", "a mapping"],
)
def test_techdocs_core_is_added(sandbox: Sandbox, config: str) -> None:
    write_site(sandbox.tree, config=config)
    pages = files_below(sandbox.tree / "docs")
    assert sandbox.build()[1][-1] == Finished("Demo", "")
    assert json.loads((sandbox.output / "techdocs_metadata.json").read_text())["site_name"] == "Demo"
    assert files_below(sandbox.tree / "docs") == pages


def test_generated_configuration_builds_what_the_written_one_does(sandbox: Sandbox) -> None:
    write_site(sandbox.tree, pages=PLAIN_PAGES, config="")
    assert sandbox.build(site_name="Same")[1][-1] == Finished("Same", "")
    write_site(sandbox.tree, pages=PLAIN_PAGES, config=mkdocs_config("Same", docs_dir="docs"))
    assert files_below(sandbox.output) == sandbox.mkdocs("mkdocs.yml")


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("just text", "mkdocs.yml must hold options and their values, like 'site_name: My docs'"),
        ("- a\n- b\n", "mkdocs.yml must hold options and their values, like 'site_name: My docs'"),
        ("7", "mkdocs.yml must hold options and their values, like 'site_name: My docs'"),
        ("plugins: search\nsite_name: x\n", "plugins must be a list, not text"),
        ("{}\n", "site_name is missing"),
        ("site_name: x\ndocs_dir: none\n", "Config value 'docs_dir': The path 'none' isn't an existing directory."),
    ],
)
def test_unusable_configuration_fails_in_words(sandbox: Sandbox, config: str, error: str) -> None:
    write_site(sandbox.tree, config=config)
    exit_code, records = sandbox.build()
    assert exit_code == 1
    assert isinstance(records[-1], Failed)
    assert error in records[-1].error
    assert (records[-1].reason, records[-1].file) == (CONFIG_INVALID, "mkdocs.yml")


async def test_build_dies_with_its_parent(sandbox: Sandbox) -> None:
    write_site(sandbox.tree, config=mkdocs_config(hooks=["hook.py"]))
    write_files(sandbox.tree, {"hook.py": "import time; open('hook-runs', 'w'); time.sleep(600)\n"})
    paths = {"tree": str(sandbox.tree), "output": str(sandbox.output)}
    job = {**paths, "site_name": "Demo", "policy": {"rewrites": False}}
    program = (
        "import json, os, subprocess\n"
        f"child = subprocess.Popen({[*sandbox.command]!r}, stdin=subprocess.PIPE, start_new_session=True)\n"
        f"child.stdin.write(json.dumps({{**{job!r}, 'parent': os.getpid()}}).encode())\n"
        "child.stdin.close()\n"
        f"open({str(sandbox.private / 'new')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(sandbox.private / 'new')!r}, {str(sandbox.private / 'pids')!r})\n"
        "child.wait()\n"
    )
    with subprocess.Popen([PYTHON, "-c", program], env=sandbox.environment, stdout=subprocess.DEVNULL) as parent:
        await eventually((sandbox.tree / "hook-runs").exists, what="the hook runs")
        _, build_pid = written_pids(sandbox.private / "pids")
        assert is_running(build_pid)
        os.kill(parent.pid, signal.SIGKILL)
    await eventually(lambda: not is_running(build_pid), what="the build is gone")
