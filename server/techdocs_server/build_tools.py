"""The adapters that a build needs, made from settings: for the server, and for building by hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from techdocs_server.adapters.generators.isolation import IsolationMode, IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.adapters.generators.toolchain import ToolchainUnusable
from techdocs_server.adapters.site_files.local import LocalSiteFiles
from techdocs_server.adapters.sources.archive import ArchiveLimits, ArchivePreparer
from techdocs_server.adapters.sources.git import GitPreparer
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.sources.routing import RoutingPreparer, URLPreparer
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.ports.sources import SourcePreparer
from techdocs_server.sandbox.config.policy import AllowedPlugin, ConfigPolicy
from techdocs_server.sandbox.isolation.plan import Limits
from techdocs_server.sandbox.rendering.workers import processors
from techdocs_server.settings import Settings, SourceHostSettings
from techdocs_server.start_failed import StartFailed

_log = logging.getLogger(__name__)


def make_source_hosts(settings: Settings) -> SourceHosts:
    """Return the allow-list of hosts. Raises `StartFailed`."""
    try:
        return SourceHosts(_host(entry) for entry in settings.source_hosts)
    except ValueError as error:
        raise StartFailed(f"source_hosts: {error}") from error


def _host(entry: SourceHostSettings) -> SourceHost:
    return SourceHost(
        host=entry.host,
        type=HostType(entry.type),
        token=entry.token.get_secret_value() if entry.token else None,
        username=entry.username,
        base_path=entry.base_path,
        allow_http=entry.allow_http,
        allow_private_addresses=entry.allow_private_addresses,
        ca_certificates=entry.ca_certificates,
    )


def make_preparer(
    settings: Settings,
    hosts: SourceHosts,
    *,
    excluded: frozenset[Path],
    scratch: Path,
    own: Callable[[Callable[[], object]], object],
) -> SourcePreparer:
    """Return what reads and copies sources, with private folders below ``scratch``; ``own`` gets what closes it."""
    most_bytes, most_files = settings.source_max_bytes, settings.source_max_files
    local = LocalDirectoryPreparer(max_bytes=most_bytes, max_files=most_files, excluded=excluded)
    git = GitPreparer(hosts, max_bytes=most_bytes, max_files=most_files, temporary_directory=scratch)
    limits = ArchiveLimits(max_bytes=most_bytes, max_files=most_files)
    archives = ArchivePreparer(hosts, limits=limits, temporary_directory=scratch)
    for preparer in (local, git, archives):
        own(preparer.close)
    return RoutingPreparer({"dir": local, "url": URLPreparer(hosts, git=git, archives=archives)})


def make_site_files(settings: Settings) -> LocalSiteFiles:
    """Return what walks generated sites. The caller closes it."""
    return LocalSiteFiles(max_bytes=settings.site_max_bytes, max_files=settings.site_max_files)


async def make_generator(settings: Settings, scratch: Path) -> MkDocsGenerator:
    """Return the builder of sites, with private folders below ``scratch``, and log what isolation holds.

    Runs the toolchain's interpreter to try isolation out. Raises `StartFailed`.
    """
    isolation = IsolationPolicy(
        mode=IsolationMode.REQUIRE if settings.requires_isolation else IsolationMode.DEGRADED,
        limits=Limits(
            memory_bytes=settings.build_max_memory_bytes,
            tasks=settings.build_max_processes,
            processor_seconds=settings.build_cpu_seconds,
            written_bytes=settings.site_max_bytes,
            written_files=settings.site_max_files,
        ),
        programs=settings.build_diagrams,
        workers=settings.build_render_processes or processors(),
    )
    plugins = tuple(AllowedPlugin(name, options) for name, options in sorted(settings.build_allowed_plugins.items()))
    policy = ConfigPolicy(
        plugins=plugins,
        readme_as_index=settings.build_readme_as_index,
        diagrams=settings.build_diagrams,
        external_fonts=settings.build_external_fonts,
        prune_navigation_above=settings.build_prune_navigation_above,
    )

    def make() -> MkDocsGenerator:
        return MkDocsGenerator(settings.build_python, temporary_directory=scratch, isolation=isolation, policy=policy)

    try:
        generator = await asyncio.to_thread(make)
    except ToolchainUnusable as error:
        raise StartFailed(f"build_python: {error}") from error
    level = generator.isolation_level
    log = _log.warning if level.missing else _log.info
    log("isolation_measured", extra={"isolation": level.text, "required": settings.requires_isolation})
    return generator
