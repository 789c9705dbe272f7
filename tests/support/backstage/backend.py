"""A Backstage backend in a process of its own: to compare with, and to be the Backstage that a service asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support.backstage.packages import backstage_packages
from tests.support.ports import free_port
from tests.support.waiting import eventually

STATIC_TOKEN = "a-static-token-of-the-tests"  # noqa: S105 - of a backend on loopback that ends with its test
"""Static external access, subject external:pipeline, to every plugin."""
RESTRICTED_TOKEN = "a-token-for-the-catalog-only"  # noqa: S105 - likewise
"""Static external access that is restricted to the plugin ``catalog``."""
ALICE, BOB = "user:default/alice", "user:default/bob"
VISIBLE_TO = "tests/visible-to"
"""Annotation with the users, by comma, that the catalog shows an entity to. Services see every entity."""

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class BackstageBackend:
    """A backend that serves."""

    url: str
    """http://127.0.0.1:PORT; a plugin's base is {url}/api/{plugin}."""
    folder: Path
    process: asyncio.subprocess.Process

    @property
    def published(self) -> Path:
        """The folder of its local publisher, sites below it by namespace/kind/name."""
        return self.folder / "published"

    def lookups(self) -> list[Mapping[str, object]]:
        """Return what its catalog was asked so far: url and principal of each request."""
        log = self.folder / "lookups.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def logged(self) -> str:
        """Return what it has printed so far."""
        return (self.folder / "backstage.log").read_text("utf-8", "replace")

    async def user_token(self, user: str = ALICE, *, seconds: int = 3600) -> str:
        """Return a user token, issued by Backstage's own code. It has expired when the time is negative."""
        return await self._token("auth/issue", sub=user, seconds=str(seconds))

    async def limited_token(self, user_token: str) -> str:
        """Return the limited form of a user token, which is the value of the cookie."""
        return await self._token("search/limited", user=user_token)

    async def plugin_token(self, target: str = "techdocs", *, user_token: str | None = None) -> str:
        """Return a token of the plugin ``search`` for another plugin, on behalf of a user if one is given."""
        on_behalf = {} if user_token is None else {"user": user_token}
        return await self._token("search/token", **{"for": target, **on_behalf})

    async def collated(self) -> list[Mapping[str, object]]:
        """Return all documents that the real TechDocs collator yields now."""
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.get(f"{self.url}/api/search/collate")
        answer.raise_for_status()
        documents: list[Mapping[str, object]] = answer.json()["documents"]
        return documents

    async def _token(self, path: str, **query: str) -> str:
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(f"{self.url}/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["token"]
        return token


def make_keys(folder: Path) -> Path:
    """Make the keys of a Backstage, of its users and its plugins, and return the folder. Backends may share them."""
    folder.mkdir(parents=True)
    for name in ("users", "plugins"):
        key = generate_private_key(SECP256R1())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(secret)
        shown = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.public.pem").write_bytes(shown)
    return folder


@asynccontextmanager
async def backstage_backend(
    folder: Path,
    entities: Path,
    *,
    keys: Path | None = None,
    techdocs_at: str = "",
    techdocs: Mapping[str, object] | None = None,
    checks_permission: bool = False,
) -> AsyncIterator[BackstageBackend]:
    """Run a backend until the context ends. Skips the test where its packages cannot be had.

    ``entities`` is a JSON file that maps kind:namespace/name in lower case to an
    entity; it is read anew for every request. Backends with the same ``keys`` accept
    each other's tokens. With ``techdocs_at``, the base URL of a TechDocs service, the
    backend finds the plugin ``techdocs`` there and has none itself; the service need
    not be up yet. Without, it runs the real TechDocs plugin, whose configuration
    ``techdocs`` is merged over. ``checks_permission`` is ``permission.enabled``.
    """
    packages = await asyncio.to_thread(backstage_packages)
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    if keys is None:
        keys = make_keys(folder / "keys")
    arguments = ["--port", str(port), "--folder", str(folder), "--entities", str(entities), "--keys", str(keys)]
    if techdocs_at:
        arguments += ["--techdocs-at", techdocs_at]
    if techdocs is not None:
        (folder / "techdocs.json").write_text(json.dumps(techdocs))
        arguments += ["--techdocs", str(folder / "techdocs.json")]
    if checks_permission:
        arguments.append("--permission")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = folder / "backstage.log"
    with log.open("wb") as output:
        # It ends when its standard input does, also when this process is killed.
        process = await asyncio.create_subprocess_exec(
            *packages.command("backend.cjs", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            cwd=packages.folder,
            env=packages.environment() | {"PATH": path},
        )
    backend = BackstageBackend(f"http://127.0.0.1:{port}", folder, process)
    try:
        await eventually(
            lambda: process.returncode is not None or "READY\n" in backend.logged(),
            timeout_seconds=_START_SECONDS,
            what="Backstage serves",
        )
        assert process.returncode is None, f"Backstage did not come up:\n{backend.logged()}"
        yield backend
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
