"""What this server can do, and which version it is."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version

from google.protobuf import duration_pb2
from techdocs.v1 import capabilities_pb2

from techdocs_server.rpc.server import MAX_CHUNK_BYTES, MAX_UNARY_BYTES
from techdocs_server.settings import Settings

DISTRIBUTION = "techdocs-service"


def service_version() -> str:
    """Return the version of the installed software."""
    return version(DISTRIBUTION)


def capabilities(settings: Settings, generators: tuple[str, ...], isolation: str) -> capabilities_pb2.Capabilities:
    """Return what clients need not be told by hand."""
    grace = duration_pb2.Duration()
    grace.FromTimedelta(timedelta(seconds=settings.publish_blob_grace_seconds))
    return capabilities_pb2.Capabilities(
        server_version=service_version(),
        build_enabled=settings.builder == "local",
        publish_enabled=settings.publish_enabled,
        blob_grace_duration=grace,
        max_unary_bytes=MAX_UNARY_BYTES,
        max_chunk_bytes=MAX_CHUNK_BYTES,
        max_site_bytes=settings.site_max_bytes,
        max_site_files=settings.site_max_files,
        generators=generators,
        isolation=isolation,
    )
