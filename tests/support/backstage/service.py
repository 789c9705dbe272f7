"""This service as a part of Backstage: the backend finds it by discovery, and it asks the backend about tokens and entities."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.backstage.backend import (
    RESTRICTED_TOKEN,
    STATIC_TOKEN,
    BackstageBackend,
    backstage_backend,
)
from tests.support.ports import free_port
from tests.support.published import MOUNT
from tests.support.services import RunningService, running

ORIGIN = "http://localhost:3000"
"""The origin of the frontend, which both allow to read answers."""


@dataclass(frozen=True, slots=True)
class InBackstage:
    """The service, and the Backstage it belongs to."""

    service: RunningService
    home: BackstageBackend

    @property
    def techdocs(self) -> str:
        """Base URL of TechDocs, as discovery has it."""
        return f"{self.service.rest}{MOUNT}"


@asynccontextmanager
async def in_backstage(
    folder: Path,
    *,
    entities: Path,
    sources: Path,
    keys: Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> AsyncIterator[InBackstage]:
    """Run a backend, and server and bridge in one process that belong to it, until the context ends.

    ``entities`` and ``keys`` are those of `backstage_backend`. Entities of ``file:``
    locations below ``sources`` can be built. ``settings`` are more of the service's.
    """
    port = free_port()
    address = f"127.0.0.1:{port}"
    async with backstage_backend(folder / "home", entities, keys=keys, techdocs_at=f"http://{address}{MOUNT}") as home:
        given: dict[str, object] = {
            "authentication": "backstage",
            "backstage_url": home.url,
            "external_access": [
                {"type": "static", "token": STATIC_TOKEN, "subject": "pipeline"},
                {
                    "type": "static",
                    "token": RESTRICTED_TOKEN,
                    "subject": "catalog-reader",
                    "access_restrictions": [{"plugin": "catalog"}],
                },
            ],
            "catalog_type": "backstage",
            "catalog_file_root": sources,
            "bridge_listen": address,
            "bridge_external_url": home.url.replace("127.0.0.1", "localhost"),
            "bridge_cors_origins": [ORIGIN],
            "server_drain_seconds": 1,
        }
        async with running("serve", folder / "service", **given | dict(settings or {})) as service:
            yield InBackstage(service, home)
