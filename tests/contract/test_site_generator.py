"""What every SiteGenerator promises, shown with MkDocs, the only one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.domain.build import MAX_LINE_BYTES, LogLine, Severity
from techdocs_server.domain.errors import BuildStepFailed
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest, SiteGenerator
from techdocs_server.sandbox.config.policy import ConfigPolicy

from tests.support.launchers import preloaded
from tests.support.processes import children_of, is_running, written_pids
from tests.support.sites import files_below, mkdocs_config, write_files, write_site
from tests.support.waiting import eventually


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where private folders of builds are made, and nothing else."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture(params=["in a new process", "forked"])
async def generator(scratch: Path, request: pytest.FixtureRequest) -> AsyncIterator[SiteGenerator]:
    # Hooks are how these tests make MkDocs misbehave: no rules for authors, and no isolation, which has its own suite.
    generator = MkDocsGenerator(
        temporary_directory=scratch,
        policy=ConfigPolicy(rewrites=False),
        isolation=IsolationPolicy(layers=frozenset()),
    )
    if request.param == "forked":
        await preloaded(generator)
    yield generator
    await generator.close()
    assert list(scratch.iterdir()) == []
    assert children_of(os.getpid()) == []


def folders_of_builds(scratch: Path) -> list[Path]:
    """Return the private folders of builds: the loaded process has one, too."""
    return list(scratch.glob("techdocs-build-*"))


class Build:
    """Runs a generator over one tree."""

    def __init__(self, generator: SiteGenerator, tree: Path, output: Path) -> None:
        self.tree = tree
        self.output = output
        self.lines: list[LogLine] = []
        self._generator = generator
        output.mkdir()

    async def run(self, *, site_name: str = "From the catalog", timeout_seconds: float = 60) -> GeneratedSite:
        request = GenerateRequest(self.tree, self.output, site_name, timeout_seconds)
        return await self._generator.generate(request, log=self.lines.append)

    async def failure(self, *, timeout_seconds: float = 60) -> str:
        with pytest.raises(BuildStepFailed) as caught:
            await self.run(timeout_seconds=timeout_seconds)
        return caught.value.problem

    @property
    def log(self) -> str:
        return "\n".join(line.text for line in self.lines)


@pytest.fixture
def build(generator: SiteGenerator, tmp_path: Path) -> Build:
    return Build(generator, tmp_path / "tree", tmp_path / "output")


def write_hook(tree: Path, code: str) -> None:
    """Write a site whose configuration runs some code when MkDocs loads it."""
    write_site(tree, config=mkdocs_config(hooks=["hook.py"]))
    write_files(tree, {"hook.py": code})


async def test_site_is_built_and_says_its_name(build: Build, scratch: Path) -> None:
    write_site(build.tree, config=mkdocs_config("Payments", site_description="Takes money"))
    source = files_below(build.tree)
    site = await build.run()
    assert (site.site_name, site.site_description) == ("Payments", "Takes money")
    assert {"index.html", "search/search_index.json", "techdocs_metadata.json"} <= files_below(build.output).keys()
    assert LogLine(Severity.INFO, "Building documentation to directory: site") in build.lines
    assert files_below(build.tree) == source
    assert folders_of_builds(scratch) == []


async def test_site_without_configuration_is_named_by_its_caller(build: Build) -> None:
    write_site(build.tree, config="")
    site = await build.run(site_name="From the catalog")
    assert (site.site_name, site.site_description) == ("From the catalog", "")
    assert b"<title>From the catalog</title>" in (build.output / "index.html").read_bytes()


async def test_versions_name_the_toolchain(generator: SiteGenerator) -> None:
    names = [version.split(" ")[0] for version in generator.versions]
    assert names == ["mkdocs", "mkdocs-techdocs-core", "mkdocs-material", "Markdown", "techdocs-rules"]


async def test_broken_configuration_fails_with_its_line(build: Build) -> None:
    write_site(build.tree, config="site_name: Demo\nnav:\n  - Home: index.md\n - Other: x.md\n")
    problem = await build.failure()
    assert 'in "mkdocs.yml", line 4, column 2' in problem
    assert str(build.tree) not in problem + build.log


async def test_unknown_plugin_fails_by_its_name(build: Build) -> None:
    write_site(build.tree, config=mkdocs_config(plugins=["techdocs-core", "no-such-plugin"]))
    assert await build.failure() == "Config value 'plugins': The \"no-such-plugin\" plugin is not installed"
    assert build.lines[-1].severity is Severity.ERROR


async def test_missing_docs_folder_fails_by_its_relative_path(build: Build) -> None:
    write_site(build.tree, pages={})
    assert await build.failure() == "Config value 'docs_dir': The path 'docs' isn't an existing directory."


async def test_strict_build_fails_with_its_first_warning(build: Build) -> None:
    write_site(build.tree, config=mkdocs_config(strict=True, nav=[{"Home": "index.md"}, {"Gone": "gone.md"}]))
    problem = await build.failure()
    assert problem.startswith("Aborted with 1 warnings in strict mode!")
    assert "'gone.md'" in problem
    assert Severity.WARNING in {line.severity for line in build.lines}


async def test_exception_of_a_hook_fails_as_one_line_with_a_traceback_in_the_log(build: Build) -> None:
    write_hook(build.tree, "def on_files(files, config):\n    raise KeyError('a\\nb')\n")
    assert await build.failure() == "KeyError: 'a\\nb'"
    assert 'File "hook.py", line 2' in build.log
    assert str(build.tree.parent) not in build.log


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import sys; sys.exit(3)", "a plugin or hook ended MkDocs with exit code 3"),
        ("import os; os._exit(0)", "MkDocs ended with exit code 0 before the site was complete"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "MkDocs was killed by signal 9 (SIGKILL); the log may say why",
        ),
    ],
)
async def test_premature_end_is_a_failure(build: Build, code: str, problem: str) -> None:
    write_hook(build.tree, code)
    assert await build.failure() == problem


async def test_prints_and_records_keep_their_order(build: Build) -> None:
    write_hook(
        build.tree,
        "import logging, os, sys\n"
        "print('one')\n"
        "logging.getLogger('mkdocs.plugins.x').warning('two\\nthree')\n"
        "print('\\x1b[31mfour\\x1b[0m', file=sys.stderr)\n"
        "os.write(1, b'f\\xffve\\rsix')\n"
        "logging.getLogger('other').error('seven')\n",
    )
    await build.run()
    assert build.lines[:7] == [
        LogLine(Severity.INFO, "one"),
        LogLine(Severity.WARNING, "two"),
        LogLine(Severity.WARNING, "three"),
        LogLine(Severity.INFO, "four"),
        LogLine(Severity.INFO, "f\ufffdve"),
        LogLine(Severity.INFO, "six"),
        LogLine(Severity.ERROR, "seven"),
    ]


async def test_huge_output_is_bounded_and_the_build_goes_on(build: Build) -> None:
    write_hook(build.tree, "print('x' * 1_000_000)\nfor number in range(30_000):\n    print(number)\n")
    assert (await build.run()).site_name == "Demo"
    assert len(build.lines) == 20_001
    assert build.lines[0].text.endswith("[line cut]")
    assert max(len(line.text.encode()) for line in build.lines) == MAX_LINE_BYTES
    assert build.lines[-1] == LogLine(Severity.WARNING, "the log is cut here: it has more than 20000 lines")


async def test_endless_output_ends_the_build(build: Build) -> None:
    write_hook(build.tree, "while True:\n    print('x' * 100_000)\n")
    assert await build.failure() == "MkDocs was stopped: it printed more than 67108864 bytes"


async def test_build_sees_nothing_of_the_server(build: Build, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TECHDOCS_SECRET", "hush")
    write_hook(
        build.tree,
        "import os, sys\n"
        "print(sorted(os.environ))\n"
        "print(os.environ['HOME'] == os.environ['TMPDIR'], os.path.dirname(os.environ['HOME']))\n"
        "print(sorted(os.listdir('/proc/self/fd')) if os.path.exists('/proc/self/fd') else [])\n",
    )
    await build.run()
    assert (
        build.lines[0].text == "['DISABLE_MKDOCS_2_WARNING', 'HOME', 'LANG', 'NO_MKDOCS_2_WARNING', 'PATH', 'TMPDIR']"
    )
    assert build.lines[1].text == f"True {scratch}"
    # Standard streams, the copy of standard output for records, the listing itself, and MkDocs' open configuration.
    assert len(build.lines[2].text.split(",")) <= 6


SLEEPER = (
    "import os, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "open('pids.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
    "os.rename('pids.new', 'pids')\n"
    "{then}\n"
)


async def test_timeout_kills_the_build_and_its_children(build: Build, scratch: Path) -> None:
    write_hook(build.tree, SLEEPER.format(then="time.sleep(600)"))
    assert await build.failure(timeout_seconds=3) == "MkDocs was stopped: it ran longer than 3 seconds"
    build_pid, child_pid = written_pids(build.tree / "pids")
    assert not is_running(build_pid)
    await eventually(lambda: not is_running(child_pid), what="the child of the build is gone")
    assert folders_of_builds(scratch) == []


async def test_cancellation_kills_the_build_and_its_children(build: Build, scratch: Path) -> None:
    write_hook(build.tree, SLEEPER.format(then="time.sleep(600)"))
    running = asyncio.create_task(build.run())
    await eventually((build.tree / "pids").exists, what="the hook runs")
    build_pid, child_pid = written_pids(build.tree / "pids")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_running(build_pid)
    await eventually(lambda: not is_running(child_pid), what="the child of the build is gone")
    assert folders_of_builds(scratch) == []


async def test_children_left_behind_do_not_outlive_a_good_build(build: Build) -> None:
    write_hook(build.tree, SLEEPER.format(then=""))
    await build.run(timeout_seconds=60)
    _, child_pid = written_pids(build.tree / "pids")
    await eventually(lambda: not is_running(child_pid), what="the child of the build is gone")


async def test_build_killed_from_outside_fails_and_says_so(build: Build) -> None:
    write_hook(build.tree, SLEEPER.format(then="time.sleep(600)"))
    running = asyncio.create_task(build.failure())
    await eventually((build.tree / "pids").exists, what="the hook runs")
    build_pid, child_pid = written_pids(build.tree / "pids")
    os.kill(build_pid, signal.SIGKILL)
    assert (await running).startswith("MkDocs was killed by signal 9 (SIGKILL)")
    await eventually(lambda: not is_running(child_pid), what="the child of the build is gone")
