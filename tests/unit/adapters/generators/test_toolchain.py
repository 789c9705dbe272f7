"""The interpreter that builds, ours or another one."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.adapters.generators.toolchain import Toolchain, ToolchainUnusable
from techdocs_server.ports.generator import GenerateRequest
from techdocs_server.sandbox.config.policy import ConfigPolicy

from tests.support.sites import mkdocs_config, write_files, write_site


@pytest.fixture
def other_python(tmp_path: Path) -> Path:
    """An interpreter in an environment without packages."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    return folder / "bin" / "python"


def lend_our_packages(python: Path) -> None:
    """Let an environment see the packages of ours, but not the service itself: a .pth file is not read twice over."""
    (folder,) = (python.parent.parent / "lib").glob("python*/site-packages")
    (folder / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")


def test_own_interpreter_is_described_without_being_run() -> None:
    toolchain = Toolchain.of(None)
    assert toolchain.python == Path(sys.executable)
    assert toolchain.versions[0].startswith("mkdocs 1.")
    assert toolchain.folders[sysconfig.get_path("purelib")] == "site-packages"


def test_interpreter_asked_in_a_child_says_the_same() -> None:
    assert Toolchain.of(Path(sys.executable)).versions == Toolchain.of(None).versions


def test_interpreter_without_mkdocs_is_refused_by_what_it_lacks(other_python: Path) -> None:
    with pytest.raises(ToolchainUnusable, match="lacks mkdocs and mkdocs-techdocs-core"):
        Toolchain.of(other_python)


@pytest.mark.parametrize("path", ["none", "text"])
def test_what_is_no_interpreter_is_refused(tmp_path: Path, path: str) -> None:
    write_files(tmp_path, {"text": "not a program"})
    with pytest.raises(ToolchainUnusable, match="cannot be used as an interpreter"):
        Toolchain.of(tmp_path / path)


def test_interpreter_that_fails_is_refused_with_its_last_words(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho too old >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(ToolchainUnusable, match="fails: too old"):
        Toolchain.of(python)


async def test_another_environment_builds_and_finds_nothing_of_ours(other_python: Path, tmp_path: Path) -> None:
    lend_our_packages(other_python)
    hook = "import sys\nprint(sys.prefix)\nprint([path for path in sys.path if path.endswith('server')])\n"
    tree = write_files(write_site(tmp_path / "tree", config=mkdocs_config(hooks=["hook.py"])), {"hook.py": hook})
    output = tmp_path / "output"
    output.mkdir()
    lines: list[str] = []
    site = await MkDocsGenerator(
        other_python,
        temporary_directory=tmp_path,
        policy=ConfigPolicy(rewrites=False),
        isolation=IsolationPolicy(layers=frozenset()),
    ).generate(GenerateRequest(tree, output, "Demo", 60), log=lambda line: lines.append(line.text))
    assert site.site_name == "Demo"
    assert lines[:2] == [str(other_python.parent.parent), "[]"]
