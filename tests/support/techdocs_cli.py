"""Backstage's own ``techdocs-cli``, from npm: what fills classic buckets in the world.

It is installed once into the user's cache folder, where later runs find it. Besides
that it speaks to loopback only.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

VERSION = "1.8.15"
_INSTALL_SECONDS = 280.0
_RUN_SECONDS = 120.0


@dataclass(frozen=True)
class TechDocsCLI:
    """The command, and the folder it is installed in."""

    command: tuple[str, ...]

    async def generate(self, source: Path, output: Path, *, etag: str) -> None:
        """Build a folder with the MkDocs of the tests, as a pipeline does before it publishes."""
        await self._run(
            "generate", "--no-docker", "--source-dir", source, "--output-dir", output, "--etag", etag, "-v"
        )  # fmt: skip

    async def publish(
        self, folder: Path, server: SeaweedFS, bucket: str, entity: str, *, root: str = "", keeps_case: bool = False
    ) -> None:
        """Publish a folder as the site of NAMESPACE/KIND/NAME."""
        more = ["--awsBucketRootPath", root] if root else []
        more += ["--legacyUseCaseSensitiveTripletPaths"] if keeps_case else []
        await self._run(
            "publish", "--publisher-type", "awsS3", "--storage-name", bucket, "--entity", entity, "--directory", folder,
            "--awsEndpoint", server.endpoint, "--awsS3ForcePathStyle", *more,
        )  # fmt: skip

    async def _run(self, *arguments: str | Path) -> None:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *map(str, arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
        )
        try:
            async with asyncio.timeout(_RUN_SECONDS):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"techdocs-cli {arguments[0]} failed:\n{said.decode('utf-8', 'replace')}"


def techdocs_cli() -> TechDocsCLI:
    """Return the command, installed if it is not yet. Skips the test where there is no npm, or no registry for it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("techdocs-cli needs node and npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "techdocs-service-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"techdocs-cli-{VERSION}"
    with (cache / "lock").open("w") as lock:
        # Other workers of this run wait for the one that installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(npm, cache, folder)
    return TechDocsCLI((node, str(folder / "node_modules/@techdocs/cli/bin/techdocs-cli")))


def _install(npm: str, cache: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        try:
            subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", made, f"@techdocs/cli@{VERSION}"],
                check=True, capture_output=True, timeout=_INSTALL_SECONDS, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            pytest.skip(f"techdocs-cli cannot be installed from npm: {error}")
        made.rename(folder)


def _environment() -> dict[str, str]:
    # Nobody else's credentials, and no look for those of a machine in a cloud.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TECHDOCS_"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_MKDOCS_2_WARNING": "true",
    }
