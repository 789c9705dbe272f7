"""Backstage's own packages from npm, unmodified, at the versions that package.json names.

They are installed once into the user's cache folder, where later runs find them. That
takes a few minutes and about 800 MB. npm is asked as the user configured it; no
script of a package is run, none of what the tests use needs one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent
_INSTALL_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Packages:
    """Node, and the folder with the packages."""

    node: str
    folder: Path

    def command(self, script: str, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs a script of this folder. It runs in `folder`, where Backstage looks for a project."""
        return (self.node, str(SCRIPTS / script), *arguments)

    def environment(self) -> dict[str, str]:
        """Return the environment of such a script: nobody's credentials or settings, and where the packages are."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TECHDOCS_", "APP_CONFIG_", "NODE_"))
        }
        return kept | {"BACKSTAGE_PACKAGES": str(self.folder), "LOG_LEVEL": "info", "NO_MKDOCS_2_WARNING": "true"}


def backstage_packages() -> Packages:
    """Return the packages, installed if they are not yet. Skips the test where there is no npm, or no registry for it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Backstage's packages need node and npm")
    wanted = (SCRIPTS / "package.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "techdocs-service-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"backstage-{hashlib.sha256(wanted).hexdigest()[:16]}"
    with (cache / "backstage.lock").open("w") as lock:
        # Other workers of this run wait for the one that installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(npm, wanted, cache, folder)
    return Packages(node, folder)


def _install(npm: str, wanted: bytes, cache: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        (made / "package.json").write_bytes(wanted)
        try:
            subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"],
                cwd=made, check=True, capture_output=True, timeout=_INSTALL_SECONDS, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            pytest.skip(f"Backstage's packages cannot be installed from npm: {error}")
        made.rename(folder)
