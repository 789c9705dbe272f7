"""The tokens of this service, as it really signs them, for tests of what it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from techdocs_server.adapters.authentication.plugin_tokens import SigningPluginTokens
from techdocs_server.adapters.authentication.signing_keys import SigningKeys
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.sql_signing_keys import SqlSigningKeys
from techdocs_server.domain.principal import Principal, PrincipalKind

from tests.support.backstage_catalog import BackstageCatalogServer
from tests.support.stores import open_database


@asynccontextmanager
async def signing_for(server: BackstageCatalogServer, folder: Path) -> AsyncIterator[SigningPluginTokens]:
    """Yield a signer whose keys the catalog knows."""
    async with open_database(folder) as database:
        keys = SigningKeys(SqlSigningKeys(database), SystemClock())
        await keys.current()
        published = await keys.key_set()
        server.key_set = lambda: published
        yield SigningPluginTokens(keys, SystemClock())


def user(server: BackstageCatalogServer, name: str) -> Principal:
    """Return a person who has proven who they are."""
    subject = f"user:default/{name}"
    return Principal(PrincipalKind.USER, subject, user_proof=server.proof_of(subject))
