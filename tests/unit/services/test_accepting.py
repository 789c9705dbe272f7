"""Sites from outside that are accepted: what readers see, and what is sent again."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.publish import Chunk, ManifestPart, PublishMessage
from techdocs_server.domain.publish_errors import (
    ManifestRefused,
)

from tests.support.publishes import (
    LARGE,
    PAGES,
    SITE,
    Acceptance,
    header,
    messages_of,
)


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
    assert not await service.is_visible()


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
        assert not await service.is_visible()
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
