"""The Backstage app of the tests as files for a browser: installed from npm and bundled once, into the user's cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_SOURCES = Path(__file__).parent.parent / "support" / "backstage_app"
# What the packages need in turn is what it was on that day.
_AS_OF = "2026-10-15"
_INSTALL_SECONDS = 280.0
_BUNDLE_SECONDS = 60.0
_BUNDLE = (
    "--bundle", "--minify", "--format=iife", "--jsx=automatic", "--log-level=warning",
    '--define:process.env.NODE_ENV="production"', "--define:process.env={}", "--define:global=globalThis", "--alias:stream=stream-browserify", "--loader:.svg=dataurl", "--loader:.png=dataurl",
    "--loader:.woff=dataurl", "--loader:.woff2=dataurl",
)  # fmt: skip


def reader_app() -> Path:
    """Return the folder with ``app.js`` and ``app.css``. Skips the test where npm is missing or has no registry.

    The first run installs some 600 packages, half a gigabyte, in about a minute. Later runs find them there, and runs
    at the same time wait for the one that installs.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("the Backstage app needs node and npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "techdocs-service-tests"
    cache.mkdir(parents=True, exist_ok=True)
    packages, source = (_SOURCES / name for name in ("package.json", "app.jsx"))
    folder = cache / f"backstage-app-{_digest(packages, _AS_OF)}"
    with (cache / "backstage-app.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(npm, cache, packages, folder)
        bundle = folder / f"bundle-{_digest(source, *_BUNDLE)}"
        if not bundle.exists():
            _bundle(source, folder, bundle)
    return bundle


def _digest(file: Path, *more: str) -> str:
    return hashlib.sha256(b"\0".join((file.read_bytes(), *map(str.encode, more)))).hexdigest()[:12]


def _install(npm: str, cache: Path, packages: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        shutil.copy(packages, made)
        command = [
            npm,
            "install",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            f"--before={_AS_OF}",
        ]
        try:
            # Packages of Material UI 4 name React 17 as their peer; Backstage itself overrides that.
            subprocess.run(
                [*command, "--legacy-peer-deps"],
                cwd=made, check=True, capture_output=True, timeout=_INSTALL_SECONDS, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            pytest.skip(f"the Backstage app cannot be installed from npm: {error}")
        made.rename(folder)


def _bundle(source: Path, folder: Path, bundle: Path) -> None:
    # Beside the packages, where their names are found.
    shutil.copy(source, folder)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run(
            ["node_modules/.bin/esbuild", source.name, *_BUNDLE, f"--outfile={scratch}/bundle/app.js"],
            cwd=folder, check=True, timeout=_BUNDLE_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        (Path(scratch) / "bundle").rename(bundle)
