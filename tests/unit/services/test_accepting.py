import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import (
    DeadlineExceeded,
    QuotaExceeded,
    RequestIdReused,
    RevisionConflict,
    StorageUnavailable,
    TechDocsError,
)
from techdocs_server.domain.publish import Chunk, ManifestPart, PublishLimits, PublishMessage
from techdocs_server.domain.publish_errors import (
    BlobsMissing,
    ManifestRefused,
    SentBytesMismatch,
    StreamOrderInvalid,
)

from tests.support.publishes import (
    GRACE,
    OTHER,
    SITE,
    Acceptance,
    chunks_of,
    header,
    messages_of,
    parts_of,
)

LARGE = bytes(range(256)) * 4000
PAGES = {"index.html": b"<h1>one</h1>", "a/index.html": b"a", "copy.html": b"a", "empty.txt": b"", "large.bin": LARGE}
ID = "5c8ad2a3-9ac3-4b0f-a3a9-3b7a4b8f0d11"


async def is_visible(service: Acceptance) -> bool:
    return await service.sites.pointer(SITE) is not None


async def test_readers_see_what_was_sent() -> None:
    service = Acceptance()
    accepted = await service.publish(PAGES)
    assert accepted.updated
    for path, content in PAGES.items():
        assert await service.read(path) == content
    assert accepted.uploaded_bytes == sum(map(len, set(PAGES.values())))
    assert accepted.reused_bytes == 0
    assert (accepted.revision.file_count, accepted.revision.source_etag) == (6, "one")
    assert accepted.pointer is not None
    assert accepted.pointer.revision == accepted.revision.revision


async def test_metadata_are_made_by_the_service() -> None:
    service = Acceptance()
    await service.publish(PAGES, header(site_name="Docs", site_description="All of it"))
    document = json.loads(await service.read("techdocs_metadata.json"))
    assert (document["site_name"], document["site_description"], document["etag"]) == ("Docs", "All of it", "one")
    assert document["files"] == sorted([*PAGES, "techdocs_metadata.json"])


async def test_a_site_that_nobody_names_is_called_as_its_entity() -> None:
    service = Acceptance()
    assert (await service.publish(PAGES)).revision.site_name == "docs"


UPLOADED = {"site_name": "Theirs", "site_description": "By CI", "etag": "abc", "build_timestamp": 1700000000000}


async def test_uploaded_metadata_say_what_the_header_leaves_open_and_are_replaced() -> None:
    service = Acceptance()
    files = PAGES | {"techdocs_metadata.json": json.dumps(UPLOADED).encode()}
    accepted = await service.publish(files, header(source_etag="", site_name="Ours"))
    assert (accepted.revision.site_name, accepted.revision.site_description) == ("Ours", "By CI")
    assert accepted.revision.source_etag == "abc"
    document = json.loads(await service.read("techdocs_metadata.json"))
    assert (document["site_name"], document["build_timestamp"]) == ("Ours", 1700000000000)
    assert set(document["files"]) == set(files)


async def test_uploaded_metadata_that_were_sent_before_are_read_from_the_store() -> None:
    service = Acceptance()
    files = PAGES | {"techdocs_metadata.json": json.dumps(UPLOADED).encode()}
    await service.publish(files, header(source_etag="x"))
    assert await service.missing(files) == frozenset()
    accepted = await service.publish(files | {"new.html": b"new"}, header(source_etag=""))
    assert (accepted.revision.source_etag, accepted.uploaded_bytes) == ("abc", 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"files": 1}',
        b'{"build_timestamp": 1e300}',
        b'{"build_timestamp": []}',
        b'{"site_name": "\\ud800"}',
        b"[" * 100_000,
    ],
)
async def test_uploaded_metadata_that_are_none_are_refused_by_name(content: bytes) -> None:
    service = Acceptance()
    with pytest.raises(ManifestRefused, match=r"techdocs_metadata\.json"):
        await service.publish(PAGES | {"techdocs_metadata.json": content})
    assert not await is_visible(service)


async def test_only_what_changed_is_sent_again() -> None:
    service = Acceptance()
    await service.publish(PAGES)
    changed = PAGES | {"index.html": b"two"}
    accepted = await service.publish(changed, header(source_etag="two"))
    assert accepted.uploaded_bytes == 3
    assert accepted.reused_bytes == sum(map(len, set(changed.values()))) - 3
    assert await service.read("index.html") == b"two"
    assert await service.read("large.bin") == LARGE


async def test_the_same_site_again_changes_nothing_and_is_no_change() -> None:
    service = Acceptance()
    first = await service.publish(PAGES)
    again = await service.publish(PAGES)
    assert (again.updated, again.revision, again.pointer) == (False, first.revision, first.pointer)
    assert again.uploaded_bytes == 0
    assert len(await service.sites.revisions(SITE, after=None, limit=10)) == 1
    changes = await service.sites.changes.changes(entity=SITE, before=None, limit=10)
    assert len(changes) == 1


async def test_the_same_files_of_a_new_source_move_the_pointer_and_make_no_revision() -> None:
    service = Acceptance()
    first = await service.publish(PAGES)
    again = await service.publish(PAGES, header(source_etag="two"))
    assert (again.updated, again.revision.revision) == (False, first.revision.revision)
    assert again.pointer is not None
    assert again.pointer.source_etag == "two"


async def test_a_new_title_of_the_same_files_is_published() -> None:
    service = Acceptance()
    await service.publish(PAGES, header(site_name="One"))
    again = await service.publish(PAGES, header(site_name="Two"))
    assert (again.updated, again.revision.site_name) == (True, "Two")


async def test_a_stream_that_stops_after_any_message_shows_nothing_and_its_repeat_sends_only_what_is_left() -> None:
    files = {f"{number}/index.html": b"page %d" % number for number in range(5)} | PAGES
    whole = messages_of(files, header())
    for stop in range(len(whole)):
        service = Acceptance()

        async def broken(stop: int = stop) -> AsyncIterator[PublishMessage]:
            for message in whole[:stop]:
                yield message
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await service.acceptor.accept(broken())
        assert not await is_visible(service)
        completed = _completed(whole[:stop])
        missing = await service.missing(files)
        assert completed == {Digest.of(content) for content in files.values()} - missing
        accepted = await service.publish(files, header())
        assert accepted.uploaded_bytes == sum(digest.size_bytes for digest in missing)
        assert await service.read("4/index.html") == b"page 4"


def _completed(messages: list[PublishMessage]) -> set[Digest]:
    sizes: dict[str, int] = {}
    announced: dict[str, Digest] = {}
    for message in messages:
        if isinstance(message, ManifestPart):
            announced |= {digest.sha256: digest for _, digest in message.files}
        elif isinstance(message, Chunk):
            sizes[message.sha256] = message.offset + len(message.data)
    return {announced[sha256] for sha256, size in sizes.items() if announced[sha256].size_bytes == size}


async def test_a_cancelled_stream_keeps_the_contents_it_had_completed() -> None:
    service = Acceptance()
    waits = asyncio.Event()

    async def endless() -> AsyncIterator[PublishMessage]:
        for message in messages_of(PAGES, header())[:4]:
            yield message
        waits.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(service.acceptor.accept(endless()))
    await waits.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(await service.missing(PAGES)) == 2


@pytest.mark.parametrize("path", ["index.html", "large.bin"])
async def test_nobody_publishes_contents_of_others_by_naming_their_digests(path: str) -> None:
    service = Acceptance()
    secret = {"index.html": b"<h1>secret</h1>", "large.bin": LARGE + b"secret"}
    await service.publish(secret, entity=OTHER)
    stolen = {"index.html": b"mine", f"stolen/{path}": secret[path]}
    with pytest.raises(BlobsMissing) as refused:
        await service.publish(stolen, sent=[Digest.of(b"mine")])
    assert refused.value.metadata["count"] == "1"
    assert not await is_visible(service)
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
    assert not await is_visible(service)


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


PATHS = [
    "/etc/passwd",
    "../up.html",
    "a/../../up.html",
    "a/..",
    "..",
    ".",
    "./a.html",
    "a//b.html",
    "a/",
    "a\\b.html",
    "..\\up.html",
    "a\x00.html",
    "a\nb.html",
    "a\x7fb",
    "\ud800",
    "x" * 1025,
]


@pytest.mark.parametrize("path", PATHS)
async def test_no_path_leads_out_of_a_site(path: str) -> None:
    service = Acceptance()
    files = {"index.html": b"one", path: b"evil"}
    with pytest.raises(ManifestRefused):
        await service.publish(files, sent=[])
    assert service.blobs._contents == {}


A = Digest.of(b"a")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("index.html", A), ("index.html", A)], "'index.html' is there twice"),
        ([("readme.html", A)], "no index.html"),
        ([("index.html", A), ("a", A), ("a/b/c.html", A)], "'a' is a file"),
        ([("index.html", A), ("b.html", Digest(A.sha256, 2))], "another size"),
        ([("index.html", A), ("techdocs_metadata.json", Digest(Digest.of(b"m").sha256, 2**30))], "more than"),
    ],
)
async def test_files_that_are_no_site_are_refused_with_what_is_wrong(
    files: list[tuple[str, Digest]], words: str
) -> None:
    service = Acceptance(limits=PublishLimits(max_bytes=2**40, max_files=100))
    with pytest.raises(ManifestRefused, match=words):
        await service.send([header(), ManifestPart(files), *chunks_of(b"a")])
    with pytest.raises(ManifestRefused, match=words):
        await service.send([header(), *(ManifestPart([file]) for file in files), *chunks_of(b"a")])


async def test_more_files_or_bytes_than_a_site_may_have_are_refused_before_any_is_sent() -> None:
    sent: list[PublishMessage] = []

    async def told(messages: list[PublishMessage]) -> AsyncIterator[PublishMessage]:
        for message in messages:
            sent.append(message)
            yield message

    service = Acceptance(limits=PublishLimits(max_bytes=10, max_files=2))
    for files in ({"index.html": b"1", "2": b"2", "3": b"3"}, {"index.html": b"x" * 11}):
        sent.clear()
        with pytest.raises(QuotaExceeded):
            await service.acceptor.accept(told(messages_of(files, header())))
        assert not any(isinstance(message, Chunk) for message in sent)
    with pytest.raises(ManifestRefused, match="parts"):
        await service.send([header(), *[ManifestPart([])] * 1001])


H, M = header(), parts_of(PAGES)
[ONE] = chunks_of(PAGES["index.html"])
FIRST, SECOND, *_ = chunks_of(LARGE)
ORDERS: dict[str, list[PublishMessage]] = {
    "nothing": [],
    "no header": [M],
    "a chunk first": [ONE],
    "two headers": [H, H],
    "a header after the manifest": [H, M, H],
    "a manifest after chunks": [H, M, ONE, M],
    "an unannounced content": [H, M, *chunks_of(b"never announced")],
    "a content twice": [H, M, ONE, ONE],
    "a content without its end": [H, M, FIRST],
    "a content inside of another": [H, M, FIRST, ONE],
    "a gap": [H, M, FIRST, replace(SECOND, offset=SECOND.offset + 1)],
    "a chunk twice": [H, M, FIRST, FIRST],
    "no first chunk": [H, M, SECOND],
    "a chunk without bytes": [H, M, FIRST, replace(SECOND, data=b"")],
}


@pytest.mark.parametrize("order", ORDERS)
async def test_messages_out_of_order_are_refused(order: str) -> None:
    service = Acceptance()
    with pytest.raises(StreamOrderInvalid):
        await service.send(ORDERS[order])
    assert not await is_visible(service)


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_more_bytes_than_announced_are_refused_at_once(content: bytes) -> None:
    service = Acceptance()
    *chunks, last = chunks_of(content)
    files = {"index.html": content}
    sent = 0

    async def endless() -> AsyncIterator[PublishMessage]:
        nonlocal sent
        yield header()
        yield parts_of(files)
        for chunk in chunks:
            yield chunk
        while True:
            sent += 1
            yield replace(last, data=last.data + b"!")

    with pytest.raises(SentBytesMismatch):
        await service.acceptor.accept(endless())
    assert sent == 1
    assert not await is_visible(service)


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_bytes_of_another_digest_are_refused_and_not_kept(content: bytes) -> None:
    service = Acceptance()
    *chunks, last = chunks_of(content)
    wrong = replace(last, data=last.data[:-1] + b"!")
    with pytest.raises(SentBytesMismatch):
        await service.send([header(), parts_of({"index.html": content}), *chunks, wrong])
    assert Digest.of(content).sha256 not in service.blobs._contents
    assert await service.leases.held(SITE, [Digest.of(content)], now=service.clock.now()) == frozenset()


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
    assert not await is_visible(service)
    assert (await service.publish(PAGES, header(request_id=ID))).updated


async def test_to_validate_what_is_current_says_that_nothing_would_change() -> None:
    service = Acceptance()
    first = await service.publish(PAGES)
    accepted = await service.publish(PAGES, header(validate_only=True))
    assert (accepted.updated, accepted.revision) == (False, first.revision)


VALIDATED = header(validate_only=True)


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([VALIDATED, M], BlobsMissing),
        ([VALIDATED, parts_of({"x": b""})], ManifestRefused),
        ([VALIDATED, M, replace(ONE, data=b"x" * len(ONE.data))], SentBytesMismatch),
        ([header(validate_only=True, expected_revision="0" * 64), M], RevisionConflict),
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
            assert not await is_visible(service)
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
