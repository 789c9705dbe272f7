"""The catalog, made from settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from techdocs_server.adapters.authentication.plugin_keys import PluginAddresses
from techdocs_server.adapters.catalog.backstage import PLUGIN, BackstageCatalog
from techdocs_server.adapters.catalog.backstage_client import BackstageCatalogClient
from techdocs_server.adapters.catalog.static_file import StaticFileCatalog
from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.ports.authentication import PluginTokens
from techdocs_server.ports.catalog import Catalog
from techdocs_server.settings import Settings

Own = Callable[[Callable[[], Awaitable[object]]], None]
"""Takes what closes something."""


def make_catalog(settings: Settings, folder: Path, hosts: SourceHosts, tokens: PluginTokens, own: Own) -> Catalog:
    """Return the catalog that is wanted. ``folder`` is the server's own and holds no descriptors; nothing is asked yet."""
    if settings.catalog_type == "backstage":
        addresses = PluginAddresses(settings.backstage_url or "", settings.backstage_plugin_urls)
        backstage = BackstageCatalog(
            BackstageCatalogClient(addresses.base(PLUGIN)),
            tokens,
            file_root=settings.catalog_file_root,
            source_hosts=hosts,
        )
        own(backstage.close)
        return backstage
    files = StaticFileCatalog(settings.catalog.absolute(), excluded=frozenset({folder}), source_hosts=hosts)
    own(lambda: asyncio.to_thread(files.close))
    return files
