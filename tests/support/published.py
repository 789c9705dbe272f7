"""A catalog of small real documentation, and server and bridge as two processes over it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.holding import holding_plugins
from tests.support.services import RunningService, running
from tests.support.sites import entity_document, mkdocs_config, write_files

MOUNT = "/api/techdocs"
BIG_BYTES = 3 * 1024 * 1024
"""Size of assets/big.bin: more than a unary answer may hold, and more than sockets buffer."""
BUILD_SECONDS = 120.0
"""Far more than a build takes on a busy machine."""

SECRET = "neighbours-and-servers-only"  # noqa: S105 - a marker that must not come out, not a password
"""Stands in every file beside a site that no reader of the site may ever see."""

PAGES: Mapping[str, str] = {
    "index.md": "# Welcome\n\nFirst page.\n",
    "guide/start.md": "# Start\n\nSecond page, with `code`.\n",
    "größe/seite eins.md": "# Größe\n\nA page whose path needs escapes.\n",
    "assets/data.json": '{"answer": 42}\n',
    "assets/notes.txt": "plain notes, 0123456789\n",
    "assets/picture.svg": '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>\n',
}


class Catalog:
    """A folder of entities, each with its own documentation, that a test adds to and edits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "secret.txt").write_text(SECRET)

    def add(
        self,
        name: str,
        pages: Mapping[str, str] = PAGES,
        *,
        ref: str | None = "dir:.",
        gate: Path | None = None,
        big: bool = False,
    ) -> None:
        """Add component:default/NAME.

        Without ``ref`` the entity names no source. While the file ``gate``, of the
        server's `HoldingToolchain`, exists its builds wait. ``big`` adds a file of `BIG_BYTES`.
        """
        folder = self.folder / name
        entity = entity_document(name, techdocs_ref=ref, metadata={"description": f"What {name} does."})
        options = {} if gate is None else {"plugins": holding_plugins(gate)}
        files = {
            "catalog-info.yaml": json.dumps(entity),
            "mkdocs.yml": mkdocs_config(f"Docs of {name}", **options),
            "secret.txt": SECRET,
        }
        write_files(folder, files)
        write_files(folder / "docs", pages)
        if big:
            write_files(folder / "docs", {"assets/big.bin": bytes(range(256)) * (BIG_BYTES // 256)})

    def write(self, name: str, path: str, text: str) -> None:
        """Write one page or asset of an entity."""
        write_files(self.folder / name / "docs", {path: text})

    def break_descriptor(self, name: str) -> None:
        """Cut the descriptor of an entity short, so that it cannot be read."""
        descriptor = self.folder / name / "catalog-info.yaml"
        descriptor.write_text(descriptor.read_text()[:-1])


@dataclass(frozen=True, slots=True)
class Deployment:
    """Server and bridge, each a process."""

    server: RunningService
    bridge: RunningService
    catalog: Catalog
    data: Path
    """The data directory of the server."""

    @property
    def rest(self) -> str:
        """URL of the bridge, without a slash at its end."""
        return self.bridge.rest

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the bridge."""
        url = httpx.URL(self.bridge.rest)
        return url.host, url.port or 80

    async def sync(self, *names: str, force: bool = False) -> None:
        """Build and publish entities at once. Raises `AssertionError` with what one answered instead."""
        async with httpx.AsyncClient(base_url=self.rest, timeout=BUILD_SECONDS) as client:
            query = "?force=true" if force else ""
            answers = await asyncio.gather(*(client.post(f"/sync/default/component/{name}{query}") for name in names))
        for answer in answers:
            assert answer.status_code == 200, f"{answer.text}\n{self.server.logged()}"


@asynccontextmanager
async def deployed(
    folder: Path,
    catalog: Catalog,
    *,
    server: Mapping[str, object] | None = None,
    bridge: Mapping[str, object] | None = None,
) -> AsyncIterator[Deployment]:
    """Run a server and a bridge with these settings until the context ends; nothing is built yet."""
    data = folder / "data"
    common = {"server_drain_seconds": 1}
    async with running(
        "server", folder, **{**common, "catalog": catalog.folder, "data_directory": data, **(server or {})}
    ) as grpc_side:
        target = {"bridge_server_target": grpc_side.grpc}
        async with running("bridge", folder, **{**common, **target, **(bridge or {})}) as rest_side:
            yield Deployment(grpc_side, rest_side, catalog, data)


def site_path(name: str = "demo", *, below: str = "docs", path: str = "") -> str:
    """Return the path of a page of component:default/NAME below one of the content routes."""
    return f"/{below}/default/component/{name}" + (f"/{path}" if path else "")
