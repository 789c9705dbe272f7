"""What a published site says of itself: the header's words, else those of its own techdocs_metadata.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch
from techdocs_server.domain.publish import AnnouncedSite
from techdocs_server.domain.publish_errors import BlobsMissing, ManifestRefused
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.ports.blobs import BlobStore

# As long as the header's own, in characters.
_MOST_NAME, _MOST_DESCRIPTION, _MOST_ETAG = 256, 4096, 256
_NOTHING = SiteMetadata("", "", "", datetime.fromtimestamp(0, UTC), ())


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Facts of a site. ``build_time`` is None when nobody says when it was built."""

    site_name: str
    site_description: str
    source_etag: str
    build_time: datetime | None


async def site_facts(site: AnnouncedSite, received: Mapping[Digest, bytes], blobs: BlobStore) -> SiteFacts:
    """Return the facts of a site whose contents are stored, or in ``received``.

    A site without a name gets that of its entity. Raises `ManifestRefused` when its
    techdocs_metadata.json is not one, `BlobsMissing` and `StorageUnavailable`.
    """
    said = await _uploaded(site, received, blobs)
    header = site.header
    return SiteFacts(
        site_name=header.site_name or said.site_name[:_MOST_NAME] or header.entity.name,
        site_description=header.site_description or said.site_description[:_MOST_DESCRIPTION],
        source_etag=header.source_etag or said.etag[:_MOST_ETAG],
        build_time=said.build_timestamp if said.build_timestamp.timestamp() > 0 else None,
    )


async def _uploaded(site: AnnouncedSite, received: Mapping[Digest, bytes], blobs: BlobStore) -> SiteMetadata:
    digest = site.files.get(METADATA_PATH)
    if digest is None:
        return _NOTHING
    content = received.get(digest)
    if content is None:
        try:
            content = b"".join([chunk async for chunk in blobs.get(digest)])
        except (BlobMissing, DigestMismatch) as error:
            raise BlobsMissing(str(site.header.entity), 1) from error
    try:
        return SiteMetadata.parse(content)
    except ValueError as error:
        raise ManifestRefused(f"{METADATA_PATH!r} cannot be read as what it should be") from error
