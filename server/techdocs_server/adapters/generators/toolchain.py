"""The interpreter that builds sites, and what is installed beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.sandbox.launch import command
from techdocs_server.sandbox.toolchain import describe

_TIMEOUT_SECONDS = 30.0


class ToolchainUnusable(ValueError):
    """The interpreter does not run or lacks a package. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """An interpreter, its versions as people read them, and the names its folders have in logs."""

    python: Path
    versions: tuple[str, ...]
    folders: Mapping[str, str]

    @property
    def package_folders(self) -> tuple[Path, ...]:
        """The folders that its packages are installed in."""
        return tuple(Path(folder) for folder, name in self.folders.items() if name == "site-packages")

    @classmethod
    def of(cls, python: Path | None) -> Toolchain:
        """Ask an interpreter, once, in a child process; None is the one that runs this.

        Blocks up to 30 seconds. Raises `ToolchainUnusable`.
        """
        description = describe() if python is None else ask(python, "toolchain")
        return cls._parse(description, python or Path(sys.executable))

    @classmethod
    def _parse(cls, description: object, python: Path) -> Toolchain:
        if not isinstance(description, dict):
            raise ToolchainUnusable(f"{python} does not describe itself")
        if missing := description.get("missing"):
            raise ToolchainUnusable(f"{python} lacks {' and '.join(map(str, missing))}; install it there")
        return cls(python, tuple(description["versions"]), dict(description["folders"]))


def ask(python: Path, module: str) -> object:
    """Return what a module of the sandbox prints as JSON in a child of an interpreter.

    Blocks up to 30 seconds. Raises `ToolchainUnusable`.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - the operator's own interpreter, our own arguments
            command(python, module),
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
        return json.loads(answer.stdout)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").splitlines()
        raise ToolchainUnusable(f"{python} fails: {lines[-1] if lines else error}") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ToolchainUnusable(f"{python} cannot be used as an interpreter: {error}") from error
