"""Publishes on conditions, repeated ones, those that only check, and stores that fail."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import (
    DeadlineExceeded,
    RequestIdReused,
    RevisionConflict,
    StorageUnavailable,
    TechDocsError,
)
from techdocs_server.domain.publish import PublishMessage
from techdocs_server.domain.publish_errors import (
    BlobsMissing,
    ManifestRefused,
    SentBytesMismatch,
)

from tests.support.publishes import (
    ID,
    LARGE,
    OTHER,
    PAGES,
    SITE,
    Acceptance,
    chunks_of,
    header,
    messages_of,
    parts_of,
)


async def test_only_who_expects_the_current_revision_publishes() -> None:
    service = Acceptance()
    first = (await service.publish(PAGES)).revision.revision
    new = PAGES | {"index.html": b"two"}
    with pytest.raises(RevisionConflict):
        await service.publish(new, header(expected_revision="0" * 64))
    with pytest.raises(RevisionConflict):
        await service.publish(new, replace(header(expected_revision=first), entity=OTHER))
    second = await service.publish(new, header(expected_revision=first))
    assert second.updated
    with pytest.raises(RevisionConflict):
        await service.publish(PAGES, header(expected_revision=first))


async def test_of_two_publishers_at_once_one_is_told_that_it_lost() -> None:
    service = Acceptance()
    await service.publish(PAGES)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[PublishMessage]:
        first, *rest = messages_of(PAGES | {"index.html": b"slow"}, header(source_etag="slow"))
        yield first
        # Asked for more, so the header was taken in.
        begun.set()
        await goes_on.wait()
        for message in rest:
            yield message

    running = asyncio.create_task(service.acceptor.accept(slow()))
    await begun.wait()
    await service.publish(PAGES | {"index.html": b"fast"}, header(source_etag="fast"))
    goes_on.set()
    with pytest.raises(RevisionConflict):
        await running
    assert await service.read("index.html") == b"fast"


async def test_a_publish_with_the_same_request_id_is_answered_as_before() -> None:
    service = Acceptance()
    first = await service.publish(PAGES, header(request_id=ID))
    await service.publish({"index.html": b"later"})
    again = await service.publish(PAGES, header(request_id=ID), sent=[])
    assert (again.revision, again.updated) == (first.revision, True)
    assert await service.read("index.html") == b"later"


async def test_a_request_id_belongs_to_one_publish() -> None:
    service = Acceptance()
    await service.publish(PAGES, header(request_id=ID))
    others = [header(request_id=ID, source_etag="two"), header(request_id=ID, site_name="x")]
    for other in others:
        with pytest.raises(RequestIdReused):
            await service.publish(PAGES, other)
    with pytest.raises(RequestIdReused):
        await service.publish(PAGES | {"index.html": b"two"}, header(request_id=ID))
    with pytest.raises(RequestIdReused):
        await service.publish(PAGES, replace(others[0], source_etag="one", entity=OTHER))


async def test_a_publish_that_died_before_its_answer_finds_its_own_revision() -> None:
    service = Acceptance()
    first = await service.publish({"index.html": b"one"})
    expecting = header(request_id=ID, expected_revision=first.revision.revision, source_etag="two")
    published = await service.publish(PAGES, expecting)
    service.requests._answers.clear()
    again = await service.publish(PAGES, expecting)
    assert again.revision.revision == published.revision.revision
    # Without having begun, the same publish is a conflict.
    with pytest.raises(RevisionConflict):
        await service.publish(PAGES, replace(expecting, request_id=""))


async def test_to_validate_changes_nothing() -> None:
    service = Acceptance()
    sends = [Digest.of(content) for content in PAGES.values()]
    accepted = await service.publish(PAGES, header(validate_only=True, request_id=ID), sent=sends)
    assert (accepted.updated, accepted.revision.revision, accepted.pointer) == (True, "", None)
    assert (accepted.revision.file_count, accepted.uploaded_bytes > 0) == (6, True)
    assert service.blobs._contents == {}
    assert await service.leases.held(SITE, sends, now=service.clock.now()) == frozenset()
    assert not await service.is_visible()
    assert (await service.publish(PAGES, header(request_id=ID))).updated


async def test_to_validate_what_is_current_says_that_nothing_would_change() -> None:
    service = Acceptance()
    first = await service.publish(PAGES)
    accepted = await service.publish(PAGES, header(validate_only=True))
    assert (accepted.updated, accepted.revision) == (False, first.revision)


MANIFEST = parts_of(PAGES)
[ONE] = chunks_of(PAGES["index.html"])
VALIDATED = header(validate_only=True)


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([VALIDATED, MANIFEST], BlobsMissing),
        ([VALIDATED, parts_of({"x": b""})], ManifestRefused),
        ([VALIDATED, MANIFEST, replace(ONE, data=b"x" * len(ONE.data))], SentBytesMismatch),
        ([header(validate_only=True, expected_revision="0" * 64), MANIFEST], RevisionConflict),
    ],
)
async def test_to_validate_finds_what_a_publish_would(
    messages: list[PublishMessage], error: type[TechDocsError]
) -> None:
    service = Acceptance()
    with pytest.raises(error):
        await service.send(messages)
    assert service.blobs._contents == {}


async def test_a_stream_that_sends_nothing_is_ended() -> None:
    service = Acceptance(idle_seconds=0.05)

    async def silent() -> AsyncIterator[PublishMessage]:
        yield header()
        await asyncio.Event().wait()

    with pytest.raises(DeadlineExceeded):
        await service.acceptor.accept(silent())


class FailingStore(MemoryBlobStore):
    """Fails at one of its writes or looks, as a broken store does."""

    def __init__(self, fail_at: int) -> None:
        super().__init__()
        self.left = fail_at

    def turn(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise StorageUnavailable("it is told to fail now")

    async def put(self, digest, content):  # type: ignore[no-untyped-def]
        self.turn()
        await super().put(digest, content)

    async def put_files(self, files):  # type: ignore[no-untyped-def]
        self.turn()
        await super().put_files(files)

    async def missing(self, digests):  # type: ignore[no-untyped-def]
        self.turn()
        return await super().missing(digests)


async def test_a_store_that_fails_at_any_call_shows_nothing_and_a_repeat_completes() -> None:
    for fail_at in range(1, 100):
        service = Acceptance(blobs=FailingStore(fail_at))
        try:
            await service.send(messages_of(PAGES, header(request_id=ID)))
        except StorageUnavailable:
            assert not await service.is_visible()
        else:
            break
        await service.send(messages_of(PAGES, header(request_id=ID)))
        assert await service.read("large.bin") == LARGE
    assert fail_at > 6


async def test_thousands_of_small_files_are_taken_in() -> None:
    files = {f"{number}.html": b"%d" % number for number in range(900)} | {"index.html": b"index"}
    service = Acceptance()
    await service.send([header(), parts_of(files), *(chunk for text in files.values() for chunk in chunks_of(text))])
    assert await service.read("899.html") == b"899"
