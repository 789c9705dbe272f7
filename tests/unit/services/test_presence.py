"""Whose contents count as present, for whom, and for how long."""

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.publish import Chunk
from techdocs_server.domain.publish_errors import (
    BlobsMissing,
    SentBytesMismatch,
)

from tests.support.publishes import (
    GRACE,
    LARGE,
    OTHER,
    PAGES,
    SITE,
    Acceptance,
    chunks_of,
    header,
    parts_of,
)


@pytest.mark.parametrize("path", ["index.html", "large.bin"])
async def test_nobody_publishes_contents_of_others_by_naming_their_digests(path: str) -> None:
    service = Acceptance()
    secret = {"index.html": b"<h1>secret</h1>", "large.bin": LARGE + b"secret"}
    await service.publish(secret, entity=OTHER)
    stolen = {"index.html": b"mine", f"stolen/{path}": secret[path]}
    with pytest.raises(BlobsMissing) as refused:
        await service.publish(stolen, sent=[Digest.of(b"mine")])
    assert refused.value.metadata["count"] == "1"
    assert not await service.is_visible()
    # And the attempt was no way to get a lease.
    assert Digest.of(secret[path]) in await service.missing(stolen)


@pytest.mark.parametrize("size", [100, 2_000_000])
async def test_wrong_bytes_for_a_stored_digest_are_refused_although_the_store_needs_none(size: int) -> None:
    service = Acceptance()
    secret = b"s" * size
    await service.publish({"index.html": secret}, entity=OTHER)
    digest = Digest.of(secret)
    lie = [Chunk(digest.sha256, chunk.offset, chunk.data) for chunk in chunks_of(b"x" * size)]
    with pytest.raises(SentBytesMismatch):
        await service.send([header(), parts_of({"index.html": secret}), *lie])
    assert await service.missing({"": secret}) == {digest}
    assert not await service.is_visible()


async def test_what_others_have_stored_is_the_own_once_it_was_sent() -> None:
    service = Acceptance()
    await service.publish(PAGES, entity=OTHER)
    accepted = await service.publish(PAGES)
    assert accepted.uploaded_bytes == sum(map(len, set(PAGES.values())))
    assert await service.read("large.bin") == LARGE


async def test_a_large_content_that_others_have_stored_is_kept_for_whoever_sent_it_too() -> None:
    service = Acceptance()
    await service.publish({"index.html": LARGE}, entity=OTHER)
    with pytest.raises(BlobsMissing):
        await service.publish(PAGES, sent=[Digest.of(LARGE)])
    assert Digest.of(LARGE) not in await service.missing(PAGES)


async def test_a_content_that_the_store_lost_must_be_sent_again() -> None:
    service = Acceptance()
    await service.publish(PAGES)
    service.blobs._contents.pop(Digest.of(LARGE).sha256)
    assert await service.missing(PAGES) == {Digest.of(LARGE)}
    accepted = await service.publish(PAGES)
    assert (accepted.updated, accepted.uploaded_bytes) == (False, len(LARGE))
    assert await service.read("large.bin") == LARGE


async def test_leases_end() -> None:
    service = Acceptance()
    with pytest.raises(BlobsMissing):
        await service.publish(PAGES, sent=[Digest.of(LARGE)])
    assert Digest.of(LARGE) not in await service.missing(PAGES)
    service.advance(GRACE.total_seconds())
    assert Digest.of(LARGE) in await service.missing(PAGES)


async def test_whoever_asks_renews_the_leases_of_what_is_there() -> None:
    service = Acceptance()
    with pytest.raises(BlobsMissing):
        await service.publish(PAGES, sent=[Digest.of(LARGE)])
    service.advance(GRACE.total_seconds() - 1)
    await service.presence.missing_and_kept(SITE, [Digest.of(LARGE), Digest.of(b"never sent")])
    service.advance(GRACE.total_seconds() - 1)
    assert Digest.of(LARGE) not in await service.missing(PAGES)
    assert await service.leases.held(SITE, [Digest.of(b"never sent")], now=service.clock.now()) == frozenset()
