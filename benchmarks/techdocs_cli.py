"""Backstage's own ``techdocs-cli``, from npm, as it is used without Docker: to generate a site, and to publish it to S3.

Needs node and npm. It is installed once, below the user's cache directory.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

PACKAGE, VERSION = "@techdocs/cli", "1.8.15"
NAME = f"techdocs-cli {VERSION}"
_INSTALL_SECONDS = 600
_TOLD_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class TechDocsCLI:
    """An installed techdocs-cli. What it measures includes its start, which is what its users wait for."""

    command: Path

    @classmethod
    def installed(cls) -> TechDocsCLI:
        """Install it where no run before did. Raises `RuntimeError` with what npm said, or that npm is not there."""
        folder = _cache() / f"techdocs-cli-{VERSION}"
        if not folder.is_dir():
            _install(folder)
        return cls(folder / "node_modules" / ".bin" / "techdocs-cli")

    async def generate(self, source: Path, site: Path) -> float:
        """Build a source into a folder with the MkDocs that runs us; return the seconds. It may write mkdocs.yml anew."""
        return await self._seconds("generate", "--no-docker", "--source-dir", str(source), "--output-dir", str(site))

    async def publish(self, site: Path, server: SeaweedFS, *, bucket: str, name: str) -> float:
        """Publish a folder as the site of a component; return the seconds."""
        return await self._seconds(
            "publish", "--publisher-type", "awsS3", "--storage-name", bucket, "--entity", f"default/component/{name}",
            "--directory", str(site), "--awsEndpoint", server.endpoint, "--awsS3ForcePathStyle",
        )  # fmt: skip

    async def _seconds(self, *arguments: str) -> float:
        """Run it. Raises `RuntimeError` with what it said when it failed."""
        with tempfile.TemporaryFile() as output:
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                self.command, *arguments, env=_environment(), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )  # fmt: skip
            status = await process.wait()
            seconds = time.perf_counter() - began
            output.seek(0)
            if status != 0:
                said = output.read().decode("utf-8", "replace")[-_TOLD_CHARACTERS:]
                raise RuntimeError(f"techdocs-cli {arguments[0]} failed:\n{said}")
            return seconds


def _cache() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "techdocs-benchmarks"


def _install(folder: Path) -> None:
    print(f"installing {PACKAGE} {VERSION} into {folder}, once; takes about a minute", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Aside, then renamed: what is there under the name is whole.
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        made = Path(aside, folder.name)
        made.mkdir()
        (made / "package.json").write_text(json.dumps({"private": True, "dependencies": {PACKAGE: VERSION}}))
        npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        try:
            done = subprocess.run(npm, cwd=made, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        except FileNotFoundError as error:
            raise RuntimeError("node and npm must be installed, for Backstage's techdocs-cli") from error
        if done.returncode != 0:
            raise RuntimeError(f"npm install failed:\n{done.stderr[-_TOLD_CHARACTERS:]}")
        made.rename(folder)


def _environment() -> Mapping[str, str]:
    """Return an environment with our MkDocs first on the path, and the keys of the S3 server."""
    tools = Path(sys.executable).parent
    return {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(Path.home()),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
    }
