"""A real bridge before a real server: what is answered from memory, to whom, and until when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import grpc
import httpx
import pytest
from techdocs.v1 import builds_pb2

from tests.support.waiting import eventually
from tests.unit.bridge.page_cache.conftest import keeps
from tests.unit.bridge.page_cache.followed_server import METADATA, NEW, PAGE, FollowedServer, followed_server
from tests.unit.bridge.real_bridge import Context, running_bridge
from tests.unit.bridge.statuses import status

ALICE, BOB = {"authorization": "Bearer alice"}, {"authorization": "Bearer bob"}


async def text(client: httpx.AsyncClient, path: str = PAGE, **headers: str) -> str:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("path", [PAGE, METADATA, "/static/docs/default/component/a/search/search_index.json"])
async def test_answer_is_given_again_without_asking(
    followed: FollowedServer, reader: httpx.AsyncClient, path: str
) -> None:
    first = await reader.get(path)
    asked = followed.docs.asked
    second = await reader.get(path)
    assert followed.docs.asked == asked
    assert second.content == first.content
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


async def test_large_answer_is_given_again_too(followed: FollowedServer, reader: httpx.AsyncClient) -> None:
    followed.docs.files["index.html"] = ("text/html", b"x" * 1_000_000)
    await reader.get(PAGE)
    asked = followed.docs.asked
    assert len((await reader.get(PAGE)).content) == 1_000_000
    assert followed.docs.asked == asked


async def test_publish_shows_as_soon_as_it_is_heard_of(followed: FollowedServer, reader: httpx.AsyncClient) -> None:
    assert "old" in await text(reader)
    followed.docs.publish(NEW, "new")
    assert "old" in await text(reader)
    followed.sites.tell(NEW)

    async def is_new() -> bool:
        return "new" in await text(reader)

    await eventually(is_new, what="the new page")
    await keeps(followed, reader)
    assert "new" in await text(reader)


async def test_answer_that_was_on_its_way_when_a_publish_was_heard_of_is_not_kept(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.waits = asyncio.Event()
    late = asyncio.create_task(text(reader))
    await eventually(lambda: followed.docs.asked == 1, what="the server decided")
    followed.docs.publish(NEW, "new")
    followed.sites.tell(NEW)
    # The same stream of HTTP/2 carries both: what is asked after this is answered after the change was sent.
    waits, followed.docs.waits = followed.docs.waits, None
    await keeps(followed, reader)
    waits.set()
    assert "old" in await late
    assert "new" in await text(reader)


async def test_reader_that_is_told_of_a_sync_gets_the_new_page_though_the_change_is_not_heard_of(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    async def sync(request: builds_pb2.SyncSiteRequest, context: Context) -> builds_pb2.SyncSiteResponse:
        followed.docs.publish(NEW, "new")
        return builds_pb2.SyncSiteResponse(updated=True, revision=NEW)

    followed.builds.sync = sync
    assert "old" in await text(reader)
    answer = await reader.post("/sync/default/component/a")
    assert answer.status_code == 200
    assert "new" in await text(reader)


async def test_reader_that_saw_the_new_revision_elsewhere_gets_the_new_page(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    assert "old" in await text(reader)
    followed.docs.publish(NEW, "new")
    shown = await reader.get(PAGE, headers={"range": "bytes=0-3"})
    assert shown.headers["x-techdocs-revision"] == NEW
    assert "new" in await text(reader)


async def test_nothing_is_answered_from_memory_once_the_stream_is_cut(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    assert "old" in await text(reader)
    followed.docs.publish(NEW, "new")
    followed.sites.is_open = False
    followed.sites.cut()
    await eventually(lambda: not followed.sites.streams, what="the stream has ended")

    async def is_new() -> bool:
        return "new" in await text(reader)

    await eventually(is_new, timeout_seconds=2, what="the server is asked")
    for _ in range(3):
        before = followed.docs.asked
        await text(reader)
        assert followed.docs.asked > before
    followed.sites.is_open = True
    await keeps(followed, reader)
    assert "new" in await text(reader)


async def test_answer_is_for_the_caller_that_the_server_let_in(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.anyone = False
    followed.docs.refused["Bearer bob"] = status(grpc.StatusCode.PERMISSION_DENIED, "no", "ACCESS_DENIED")
    followed.docs.refused[""] = status(grpc.StatusCode.UNAUTHENTICATED, "Missing credentials", "TOKEN_INVALID")
    await text(reader, **ALICE)
    asked = followed.docs.asked
    await text(reader, **ALICE)
    assert followed.docs.asked == asked
    for headers, expected in ((BOB, {403, 404}), ({}, {401})):
        answers = [await reader.get(PAGE, headers=headers) for _ in range(2)]
        assert {answer.status_code for answer in answers} <= expected
        assert all("old" not in answer.text for answer in answers)
    await text(reader, **ALICE)


async def test_right_to_read_contents_is_none_to_read_metadata(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.anyone = False
    # Somebody else may, so that the metadata are kept.
    await reader.get(METADATA, headers=BOB)
    await text(reader, **ALICE)
    followed.docs.refused["Bearer alice"] = status(grpc.StatusCode.UNAUTHENTICATED, "Illegal", "TOKEN_INVALID")
    assert (await reader.get(METADATA, headers=ALICE)).status_code == 401


async def test_cookie_is_as_good_as_its_token_and_no_better(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.anyone = False
    followed.docs.refused[""] = status(grpc.StatusCode.UNAUTHENTICATED, "Missing credentials", "TOKEN_INVALID")
    cookie = {"cookie": "backstage-auth=alice"}
    await text(reader, **cookie)
    asked = followed.docs.asked
    await text(reader, **cookie)
    await text(reader, **ALICE)
    assert followed.docs.asked == asked
    assert (await reader.get(METADATA, headers=cookie)).status_code == 401
    basic = {"authorization": "Basic abc"}
    await text(reader, **basic, **cookie)
    assert (await reader.get(PAGE, headers=basic)).status_code == 401


async def test_right_ends_when_the_server_said_it_would(followed: FollowedServer, reader: httpx.AsyncClient) -> None:
    followed.docs.anyone = False
    followed.docs.valid_seconds = 0.5
    began = asyncio.get_running_loop().time()
    await text(reader, **ALICE)
    followed.docs.refused["Bearer alice"] = status(grpc.StatusCode.UNAUTHENTICATED, "expired", "TOKEN_INVALID")

    async def is_refused() -> bool:
        return (await reader.get(PAGE, headers=ALICE)).status_code == 401

    await eventually(is_refused, timeout_seconds=5, what="the caller is refused")
    assert asyncio.get_running_loop().time() - began >= 0.5
    assert await is_refused()


async def test_caller_that_is_refused_once_is_refused_everywhere(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.anyone = False
    await text(reader, **ALICE)
    followed.docs.refused["Bearer alice"] = status(grpc.StatusCode.UNAUTHENTICATED, "revoked", "TOKEN_INVALID")
    other = "/static/docs/default/component/a/style.css"
    assert (await reader.get(other, headers=ALICE)).status_code == 401
    assert (await reader.get(PAGE, headers=ALICE)).status_code == 401


@pytest.mark.parametrize("settings", [{"followed": False}, {"valid_seconds": 0.0}])
async def test_what_the_server_does_not_let_be_kept_is_not_kept(
    followed: FollowedServer, reader: httpx.AsyncClient, settings: dict[str, float]
) -> None:
    for name, value in settings.items():
        setattr(followed.docs, name, value)
    for _ in range(3):
        before = followed.docs.asked
        await text(reader)
        assert followed.docs.asked > before


async def test_answer_of_the_second_of_a_publish_is_not_kept_without_its_date(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.last_modified = datetime.now(UTC)
    assert "last-modified" not in (await reader.get(PAGE)).headers

    async def is_dated() -> bool:
        return "last-modified" in (await reader.get(PAGE)).headers

    await eventually(is_dated, what="the second of the publish is over")
    await keeps(followed, reader)
    assert await is_dated()


async def test_failure_is_not_kept(followed: FollowedServer, reader: httpx.AsyncClient) -> None:
    followed.docs.failure = status(grpc.StatusCode.UNAVAILABLE, "down", "STORAGE_UNAVAILABLE")
    assert (await reader.get(PAGE)).status_code == 500
    followed.docs.failure = None
    assert "old" in await text(reader)


async def test_metadata_that_could_not_be_read_whole_are_not_kept(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    # What is said of the site in place of the stored document is good once.
    followed.docs.stored_failure = status(grpc.StatusCode.UNAVAILABLE, "down", "STORAGE_UNAVAILABLE")
    for _ in range(2):
        before = followed.docs.asked
        await reader.get(METADATA, headers={"accept": "*/*"})
        assert followed.docs.asked > before


async def test_server_without_the_stream_is_asked_every_time() -> None:
    async with (
        followed_server() as server,
        running_bridge(server.target, cache_bytes=0) as bridge,
        httpx.AsyncClient(base_url=bridge.api) as client,
    ):
        for asked in (1, 2, 3):
            await text(client)
            assert server.docs.asked == asked
        assert not server.sites.streams


async def test_answer_is_not_kept_for_a_credential_that_was_sent_otherwise(
    followed: FollowedServer, reader: httpx.AsyncClient
) -> None:
    followed.docs.anyone = False
    for _ in range(3):
        before = followed.docs.asked
        await text(reader, authorization="Bearer   alice")
        assert followed.docs.asked > before
