"""What all PublishRequests promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.adapters.records.memory_publish_requests import MemoryPublishRequests
from techdocs_server.adapters.records.sql_publish_requests import SqlPublishRequests
from techdocs_server.domain.errors import RequestIdReused
from techdocs_server.ports.publish_requests import (
    REMEMBERED,
    EarlierPublish,
    PublishAnswer,
    PublishRequest,
    PublishRequests,
)

from tests.support.clocks import NOON
from tests.support.record_values import entity
from tests.support.stores import BUILD_RECORDS, open_database

REQUEST = PublishRequest("5c8ad2a3-9ac3-4b0f-a3a9-3b7a4b8f0d11", "ab" * 32, entity("docs"))
ANSWER = PublishAnswer("cd" * 32, updated=True)


@pytest.fixture(params=BUILD_RECORDS)
async def requests(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PublishRequests]:
    if request.param == "memory":
        yield MemoryPublishRequests()
        return
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_database(tmp_path, server) as database:
        yield SqlPublishRequests(database)


async def test_a_publish_that_begins_first_has_no_earlier_one(requests: PublishRequests) -> None:
    assert await requests.begin(REQUEST, now=NOON) is None
    assert await requests.begin(replace(REQUEST, request_id="other"), now=NOON) is None


async def test_a_publish_that_did_not_end_has_no_answer(requests: PublishRequests) -> None:
    await requests.begin(REQUEST, now=NOON)
    assert await requests.begin(REQUEST, now=NOON) == EarlierPublish(None)


@pytest.mark.parametrize("updated", [True, False])
async def test_what_came_of_a_publish_is_remembered(requests: PublishRequests, *, updated: bool) -> None:
    answer = replace(ANSWER, updated=updated)
    await requests.begin(REQUEST, now=NOON)
    await requests.finish(REQUEST, answer)
    assert await requests.begin(REQUEST, now=NOON) == EarlierPublish(answer)


async def test_the_first_answer_stays(requests: PublishRequests) -> None:
    await requests.begin(REQUEST, now=NOON)
    await requests.finish(REQUEST, ANSWER)
    await requests.finish(REQUEST, replace(ANSWER, revision="ef" * 32))
    assert await requests.begin(REQUEST, now=NOON) == EarlierPublish(ANSWER)


@pytest.mark.parametrize("ended", [True, False])
async def test_an_id_of_another_publish_is_refused(requests: PublishRequests, *, ended: bool) -> None:
    await requests.begin(REQUEST, now=NOON)
    if ended:
        await requests.finish(REQUEST, ANSWER)
    with pytest.raises(RequestIdReused):
        await requests.begin(replace(REQUEST, fingerprint="ef" * 32), now=NOON)


async def test_of_many_that_begin_at_once_one_is_the_first(requests: PublishRequests) -> None:
    begun = await asyncio.gather(*(requests.begin(REQUEST, now=NOON) for _ in range(8)))
    assert sorted(begun, key=str) == [*[EarlierPublish(None)] * 7, None]


async def test_an_id_is_forgotten_after_a_week_and_not_before(requests: PublishRequests) -> None:
    await requests.begin(REQUEST, now=NOON)
    await requests.finish(REQUEST, ANSWER)
    assert await requests.begin(REQUEST, now=NOON + REMEMBERED) == EarlierPublish(ANSWER)
    later = NOON + REMEMBERED + timedelta(seconds=1)
    assert await requests.begin(replace(REQUEST, fingerprint="ef" * 32), now=later) is None
    assert await requests.begin(replace(REQUEST, fingerprint="ef" * 32), now=later) == EarlierPublish(None)
