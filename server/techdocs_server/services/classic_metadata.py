"""What the files of a classic site say about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from techdocs_server.domain.errors import ContentCorrupt
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.services.classic_sites import ClassicContent, ClassicView

# The largest one of a site of 50,000 files whose paths are of 1,024 bytes is 49 MiB.
_MOST_BYTES = 64 * 1024**2


async def classic_metadata(view: ClassicView, read_all: Callable[[ClassicContent], Awaitable[bytes]]) -> SiteMetadata:
    """Return the metadata of a site.

    It need not have a metadata file, nor need the file say everything: the listing
    then says what it can. Raises what reading does, and `ContentCorrupt` for a file
    that is none.
    """
    newest = max(file.last_modified for file in view.files.values())
    found = await _written(view, read_all) if METADATA_PATH in view.files else SiteMetadata.parse(b"{}")
    return replace(
        found,
        site_name=found.site_name or view.entity.name,
        build_timestamp=found.build_timestamp if found.build_timestamp.timestamp() else newest,
        files=found.files or view.paths,
    )


async def _written(view: ClassicView, read_all: Callable[[ClassicContent], Awaitable[bytes]]) -> SiteMetadata:
    content = view.content(METADATA_PATH)
    try:
        if content.size_bytes > _MOST_BYTES:
            raise ValueError(f"{METADATA_PATH} is far too large")
        return SiteMetadata.parse(await read_all(content))
    except ValueError as error:
        raise ContentCorrupt(str(view.entity), METADATA_PATH) from error
