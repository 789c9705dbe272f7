"""GET /sync of a real build: framing, ends, and going on after a broken connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.conformance.event_streams import Event, parse, read, until_waiting
from tests.conformance.problems import check_problem
from tests.support.holding import HoldingToolchain
from tests.support.published import BUILD_SECONDS, MOUNT, Catalog, Deployment, deployed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYNC = "/sync/default/component/demo"
NOBODY = "/sync/default/component/nobody"


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> HoldingToolchain:
    return HoldingToolchain(tmp_path_factory.mktemp("toolchain") / "venv")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, toolchain: HoldingToolchain) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("events")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    catalog.add("broken", {"other.md": "# A site without a front page\n"})
    catalog.add("held", gate=toolchain.gate)
    async with deployed(folder, catalog, server=toolchain.settings) as running:
        yield running


@pytest.fixture(scope="module")
def gate(toolchain: HoldingToolchain) -> Path:
    return toolchain.gate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(service: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.rest, timeout=BUILD_SECONDS) as connected:
        yield connected


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(client: httpx.AsyncClient) -> list[Event]:
    """The events of one build from its first to its last."""
    return list(await read(client, f"{SYNC}?force=true"))


async def build_names(client: httpx.AsyncClient, name: str) -> list[str]:
    answer = await client.get("/v1/builds", params={"entity.kind": "component", "entity.name": name})
    return [build["name"] for build in answer.json()["builds"]]


async def test_stream_of_a_build_is_its_log_and_one_finish(whole: list[Event]) -> None:
    *lines, finish = whole
    assert (finish.name, finish.id) == ("finish", "")
    assert finish.data == {"updated": True}
    assert {event.name for event in lines} == {"log"}
    assert all(isinstance(event.data, str) and event.data for event in lines)
    names, sequences = zip(*(event.id.rsplit(":", 1) for event in lines), strict=True)
    assert len(set(names)) == 1
    assert sorted(set(map(int, sequences))) == list(map(int, sequences))
    text = "\n".join(event.data for event in lines)
    assert "is generating pages" in text
    assert "Published revision" in text


async def test_first_block_tells_how_fast_to_come_back(client: httpx.AsyncClient, whole: list[Event]) -> None:
    answer = await client.get(SYNC)
    assert answer.text == 'retry: 2000\n\nevent: finish\ndata: {"updated":false}\n\n'
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"


async def test_resuming_anywhere_gives_the_rest_and_nothing_twice(
    client: httpx.AsyncClient, whole: list[Event]
) -> None:
    *lines, finish = whole
    for position, seen in enumerate(lines):
        rest = await read(client, SYNC, last_event_id=seen.id)
        assert list(rest) == [*lines[position + 1 :], finish]


async def test_resuming_works_below_the_mount_and_from_the_query(client: httpx.AsyncClient, whole: list[Event]) -> None:
    build, sequence = whole[2].id.rsplit(":", 1)
    by_header = await read(client, MOUNT + SYNC, last_event_id=whole[2].id)
    by_query = await read(client, f"{MOUNT}{SYNC}?build={build}&after_sequence={sequence}")
    assert list(by_header) == list(by_query) == whole[3:]


@pytest.mark.parametrize(
    "last_id", ["builds/never-was:7", "not an id", "builds/x", ":", "builds/x:99999999999999999999"]
)
async def test_unknown_last_id_is_told_how_the_site_stands(
    client: httpx.AsyncClient, whole: list[Event], last_id: str
) -> None:
    assert list(await read(client, SYNC, last_event_id=last_id)) == [Event("", "finish", {"updated": False})]


async def test_cut_connection_goes_on_where_it_was(client: httpx.AsyncClient, gate: Path) -> None:
    gate.touch()
    path = "/sync/default/component/held"
    async with client.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
        before = await until_waiting(answer)
    gate.unlink()
    after = await read(client, path, last_event_id=before[-1].id)
    build = before[0].id.rsplit(":", 1)[0]
    assert [*before, *after] == list(await read(client, path, last_event_id=f"{build}:0"))
    assert await build_names(client, "held") == [build]


async def test_second_watcher_joins_the_build_and_sees_all_of_it(client: httpx.AsyncClient, gate: Path) -> None:
    gate.touch()
    path = "/sync/default/component/held?force=true"
    async with client.stream("GET", path, headers={"accept": "text/event-stream"}) as first:
        before = await until_waiting(first)
        async with client.stream("GET", path, headers={"accept": "text/event-stream"}) as second:
            assert await until_waiting(second) == before
            gate.unlink()


async def test_failed_build_ends_with_its_reason(client: httpx.AsyncClient) -> None:
    *lines, error = await read(client, "/sync/default/component/broken")
    assert (error.name, error.id) == ("error", "")
    assert error.data.startswith("building component:default/broken failed while ")
    assert "front page" in error.data
    assert lines[-1].data in error.data, "the log ends with what the error says"


async def test_sync_that_never_came_to_a_build_has_a_status_event_clients_can_read(client: httpx.AsyncClient) -> None:
    answer = await client.get(NOBODY, headers={"accept": "text/event-stream"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/event-stream"
    assert list(parse(answer.text)) == [Event("", "error", "the catalog has no entity component:default/nobody")]


async def test_sync_that_never_came_to_a_build_is_json_for_others(client: httpx.AsyncClient) -> None:
    answer = await client.get(NOBODY)
    check_problem(answer, status=404, reason="ENTITY_NOT_FOUND", code="NOT_FOUND", url=NOBODY)


async def test_head_starts_no_build(client: httpx.AsyncClient, whole: list[Event]) -> None:
    before = await build_names(client, "demo")
    answer = await client.head(f"{SYNC}?force=true")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert await build_names(client, "demo") == before


async def test_lines_of_watch_build_are_the_same_story(client: httpx.AsyncClient, whole: list[Event]) -> None:
    build = whole[0].id.rsplit(":", 1)[0]
    answer = await client.get(f"/v1/{build}:watch")
    assert answer.headers["content-type"] == "application/x-ndjson"
    events = [httpx.Response(200, text=line).json()["event"] for line in answer.text.splitlines()]
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["stateChange"]["state"] == "BUILD_STATE_SUCCEEDED"
    logged = [event["log"]["text"] for event in events if "log" in event]
    told = [event.data for event in whole[:-1] if f"Build {build} " not in event.data]
    assert logged == told
