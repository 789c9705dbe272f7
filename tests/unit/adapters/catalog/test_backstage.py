"""What Backstage's catalog may answer, and what becomes of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs_server.adapters.authentication.plugin_tokens import SigningPluginTokens
from techdocs_server.adapters.catalog.backstage import BackstageCatalog
from techdocs_server.adapters.catalog.backstage_client import CALLS_AT_ONCE, MAX_BYTES, BackstageCatalogClient
from techdocs_server.adapters.catalog.entity_cache import EntityCache
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import INTERNAL, Principal

from tests.support.backstage_catalog import BackstageCatalogServer, Wrong, backstage_catalog, document
from tests.support.backstage_tokens import signing_for, user
from tests.support.ports import free_port
from tests.support.waiting import eventually

PAY = EntityRef("default", "component", "pay")
PATH = "/entities/by-name/component/default/pay"
JSON = {"Content-Type": "application/json"}
DEEP = b"[" * 100_000 + b"]" * 100_000


@dataclass
class Stage:
    """A catalog over HTTP that holds `PAY`, and ways to ask it."""

    server: BackstageCatalogServer
    tokens: SigningPluginTokens
    open: Callable[..., BackstageCatalog]

    @property
    def paths(self) -> list[str]:
        return [call.path for call in self.server.calls]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(backstage_catalog())
        server.put(document("Pay"))
        tokens = await stack.enter_async_context(signing_for(server, tmp_path))

        def opened(
            *, url: str | None = None, deadline: float = 5, root: Path | None = None, cache: EntityCache | None = None
        ) -> BackstageCatalog:
            client = BackstageCatalogClient(server.url if url is None else url, deadline_seconds=deadline)
            catalog = BackstageCatalog(client, tokens, file_root=root, cache=cache)
            stack.push_async_callback(catalog.close)
            return catalog

        yield Stage(server, tokens, opened)


async def test_entity_is_asked_for_in_lower_case_with_the_rights_of_the_viewer(stage: Stage) -> None:
    catalog, alice = stage.open(), user(stage.server, "alice")
    ref = EntityRef.of(namespace="Default", kind="Component", name="PAY")
    assert (await catalog.entity(ref, viewer=alice)).ref == PAY
    await catalog.entity(ref, viewer=INTERNAL)
    assert [(call.path, call.user) for call in stage.server.calls] == [(PATH, "user:default/alice"), (PATH, "")]


async def test_document_is_whole_and_says_where_the_docs_are_from(stage: Stage) -> None:
    found = await stage.open().entity(PAY, viewer=INTERNAL)
    location = {"type": "url", "target": "https://github.com/example/repo/tree/main/"}
    assert found.document == {**document("Pay"), "locationMetadata": location}
    assert found.source is not None
    assert (found.uid, found.source.site_name) == ("uid-Pay", "Pay")


async def test_who_may_not_see_an_entity_is_told_that_there_is_none(stage: Stage) -> None:
    stage.server.hidden.add(("component/default/pay", "user:default/eve"))
    catalog = stage.open()
    assert await catalog.entity(PAY, viewer=user(stage.server, "alice"))
    with pytest.raises(EntityNotFound) as hidden:
        await catalog.entity(PAY, viewer=user(stage.server, "eve"))
    absent = EntityRef("default", "component", "none")
    with pytest.raises(EntityNotFound) as missing:
        await catalog.entity(absent, viewer=user(stage.server, "eve"))
    assert hidden.value.message == missing.value.message.replace("none", "pay")


async def test_what_one_viewer_was_shown_is_not_shown_to_another(stage: Stage) -> None:
    stage.server.hidden.add(("component/default/pay", "user:default/eve"))
    catalog = stage.open()
    for viewer in (user(stage.server, "alice"), INTERNAL):
        await catalog.entity(PAY, viewer=viewer)
    with pytest.raises(EntityNotFound):
        await catalog.entity(PAY, viewer=user(stage.server, "eve"))


async def test_forbidden_is_told_like_absent(stage: Stage) -> None:
    stage.server.wrong[PATH] = Wrong(403)
    with pytest.raises(EntityNotFound):
        await stage.open().entity(PAY, viewer=INTERNAL)


def entity_bytes(**changes: object) -> bytes:
    return json.dumps({**document("Pay"), **changes}).encode()


WRONG = {
    "our credentials are refused": (Wrong(401), "refuses this server's credentials"),
    "it fails": (Wrong(500), "it failed"),
    "it is overloaded": (Wrong(429), "it failed"),
    "it is away": (Wrong(503), "it failed"),
    "it sends elsewhere": (Wrong(302, b"", {"Location": "/api/catalog/elsewhere"}), "it failed"),
    "nothing has changed": (Wrong(304, b""), "it failed"),
    "it has no content": (Wrong(204, b""), "it failed"),
    "it is a page": (Wrong(200, b"<html>", {"Content-Type": "text/html"}), "is not JSON"),
    "it says nothing of its type": (Wrong(200, entity_bytes(), {}), "is not JSON"),
    "it is broken": (Wrong(200, b'{"kind": '), "is not JSON"),
    "it is empty": (Wrong(200, b""), "is not JSON"),
    "it is no text": (Wrong(200, b'"\xff"'), "is not JSON"),
    "it is deep": (Wrong(200, DEEP), "is not JSON"),
    "it has no number": (Wrong(200, b'{"a": NaN}'), "is not JSON"),
    "it has half a letter": (Wrong(200, b'{"a": "\\ud800"}'), "is not JSON"),
    "it is huge": (Wrong(200, b'{"a": "' + b"x" * MAX_BYTES + b'"}'), "larger than"),
    "it is encoded": (
        Wrong(200, gzip.compress(entity_bytes()), {**JSON, "Content-Encoding": "gzip"}),
        "is encoded",
    ),
    "it is cut off": (Wrong(200, entity_bytes()[:50], length=5000), "cannot be reached"),
    "it is no object": (Wrong(200, b'["pay"]'), "not the entity that was asked for"),
    "it is null": (Wrong(200, b"null"), "not the entity that was asked for"),
    "it is of another kind": (Wrong(200, entity_bytes(kind="API")), "not the entity that was asked for"),
    "it has another name": (
        Wrong(200, entity_bytes(metadata={"name": "other", "namespace": "default"})),
        "not the entity that was asked for",
    ),
    "it is in another namespace": (
        Wrong(200, entity_bytes(metadata={"name": "pay", "namespace": "secret"})),
        "not the entity that was asked for",
    ),
    "its namespace is a number": (
        Wrong(200, entity_bytes(metadata={"name": "pay", "namespace": 7})),
        "not the entity that was asked for",
    ),
    "it has no metadata": (Wrong(200, entity_bytes(metadata=None)), "not the entity that was asked for"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_answer_is_no_answer(stage: Stage, case: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong, problem = WRONG[case]
    stage.server.wrong["/"] = wrong
    with caplog.at_level(logging.WARNING), pytest.raises(CatalogUnavailable, match=problem) as told:
        await stage.open().entity(PAY, viewer=user(stage.server, "alice"))
    assert [record.message for record in caplog.records] == ["catalog_failed"]
    private = ("127.0.0.1", str(stage.server.port), "/entities", "eyJ")
    assert not [word for word in private if word in told.value.message]
    assert not any("eyJ" in str(vars(record)) for record in caplog.records)
    assert stage.paths == [PATH], "the one who was asked is the only one who heard the token"
    # An error is not kept: as soon as the catalog is well, it is asked again.
    stage.server.wrong.clear()
    assert await stage.open().entity(PAY, viewer=INTERNAL)


async def test_silence_ends_at_the_deadline(stage: Stage) -> None:
    catalog = stage.open(deadline=0.3)
    for stall in (Wrong(200, b"", length=10, stall=True), Wrong(200, b'{"kind"', length=10, stall=True)):
        stage.server.wrong["/"] = stall
        with pytest.raises(CatalogUnavailable, match="did not answer"):
            await catalog.entity(PAY, viewer=INTERNAL)
    stage.server.released.set()


async def test_nobody_listens(stage: Stage) -> None:
    catalog = stage.open(url=f"http://127.0.0.1:{free_port()}/api/catalog")
    with pytest.raises(CatalogUnavailable, match="cannot be reached"):
        await catalog.entity(PAY, viewer=INTERNAL)


@pytest.mark.parametrize(("drops", "is_found"), [(1, True), (2, False)])
async def test_connection_that_ends_without_an_answer_is_tried_once_more(
    stage: Stage, drops: int, *, is_found: bool
) -> None:
    catalog = stage.open(cache=EntityCache(fresh_seconds=0))
    await catalog.entity(PAY, viewer=INTERNAL)
    stage.server.drops = drops
    if is_found:
        assert await catalog.entity(PAY, viewer=INTERNAL)
    else:
        with pytest.raises(CatalogUnavailable, match="cannot be reached"):
            await catalog.entity(PAY, viewer=INTERNAL)
    assert len(stage.server.calls) == 3


async def test_name_is_compared_in_any_case_and_the_namespace_may_be_left_out(stage: Stage) -> None:
    bare = {key: value for key, value in document("PAY")["metadata"].items() if key != "namespace"}  # type: ignore[attr-defined]
    stage.server.wrong[PATH] = Wrong(200, entity_bytes(kind="COMPONENT", metadata=bare))
    assert (await stage.open().entity(PAY, viewer=INTERNAL)).ref == PAY


async def test_many_who_ask_at_once_are_one_call(stage: Stage) -> None:
    catalog, alice = stage.open(), user(stage.server, "alice")
    stage.server.gate.clear()
    asking = [asyncio.create_task(catalog.entity(PAY, viewer=alice)) for _ in range(50)]
    await eventually(lambda: stage.server.calls, what="the call has come")
    asking[0].cancel()
    stage.server.gate.set()
    found = await asyncio.gather(*asking[1:])
    assert len(found) == 49
    assert stage.paths == [PATH]


async def test_what_was_found_is_believed_for_a_while_and_what_was_not_is_asked_again(stage: Stage) -> None:
    catalog = stage.open()
    for _ in range(3):
        await catalog.entity(PAY, viewer=INTERNAL)
    assert stage.paths == [PATH]
    soon = EntityRef("default", "component", "soon")
    with pytest.raises(EntityNotFound):
        await catalog.entity(soon, viewer=INTERNAL)
    stage.server.put(document("soon"))
    assert await catalog.entity(soon, viewer=INTERNAL)


async def test_what_was_found_is_not_believed_longer(stage: Stage) -> None:
    catalog = stage.open(cache=EntityCache(fresh_seconds=0.05))
    await catalog.entity(PAY, viewer=INTERNAL)
    stage.server.entities.clear()

    async def is_gone() -> bool:
        try:
            await catalog.entity(PAY, viewer=INTERNAL)
        except EntityNotFound:
            return True
        return False

    await eventually(is_gone, what="the entity is not believed any more")


async def test_cache_holds_no_more_than_it_may(stage: Stage) -> None:
    catalog = stage.open(cache=EntityCache(max_entities=2))
    names = ["a", "b", "c"]
    for name in names:
        stage.server.put(document(name))
        await catalog.entity(EntityRef("default", "component", name), viewer=INTERNAL)
    await catalog.entity(EntityRef("default", "component", "c"), viewer=INTERNAL)
    await catalog.entity(EntityRef("default", "component", "a"), viewer=INTERNAL)
    assert [path[-1] for path in stage.paths] == ["a", "b", "c", "a"]
    small = stage.open(cache=EntityCache(max_bytes=10))
    for _ in range(2):
        await small.entity(PAY, viewer=INTERNAL)
    assert stage.paths[-2:] == [PATH, PATH]


async def test_storm_reaches_the_catalog_as_a_bounded_number_of_calls(stage: Stage) -> None:
    catalog = stage.open()
    stage.server.gate.clear()
    refs = [EntityRef("default", "component", f"n{number}") for number in range(3 * CALLS_AT_ONCE)]
    asking = [asyncio.create_task(catalog.entity(ref, viewer=INTERNAL)) for ref in refs]
    await eventually(lambda: len(stage.server.calls) >= CALLS_AT_ONCE, what="as many calls as may come have come")
    stage.server.gate.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {EntityNotFound}
    assert stage.server.most_at_once == CALLS_AT_ONCE


async def test_same_failure_is_logged_once_in_a_while(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    catalog = stage.open()
    stage.server.wrong["/"] = Wrong(500)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            with pytest.raises(CatalogUnavailable):
                await catalog.entity(PAY, viewer=INTERNAL)
    assert len(caplog.records) == 1


async def test_user_without_proof_is_not_asked_for_with_our_own_rights(stage: Stage) -> None:
    alice = user(stage.server, "alice")
    with pytest.raises(Exception, match="user identity proof"):
        await stage.open().entity(PAY, viewer=Principal(alice.kind, alice.subject))
    assert stage.server.calls == []


async def test_all_entities_with_an_annotation_are_listed_page_by_page(stage: Stage) -> None:
    stage.server.page = 2
    names = [f"n{number}" for number in range(5)]
    for name in names:
        stage.server.put(document(name))
    stage.server.put(document("bare", annotations={"backstage.io/techdocs-ref": None}))
    assert sorted(ref.name for ref in await stage.open().refs()) == [*names, "pay"]
    assert {call.user for call in stage.server.calls} == {""}
    assert [("cursor" in call.query, "filter" in call.query) for call in stage.server.calls] == [
        (False, True),
        (True, False),
        (True, False),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'{"items": {}}',
        b'{"items": [], "pageInfo": []}',
        b'{"items": [], "pageInfo": {"nextCursor": 7}}',
        # A cursor that leads to itself.
        b'{"items": [], "pageInfo": {"nextCursor": "again"}}',
    ],
)
async def test_list_that_is_none_or_has_no_end_is_no_list(stage: Stage, content: bytes) -> None:
    stage.server.wrong["/entities/by-query"] = Wrong(200, content)
    with pytest.raises(CatalogUnavailable):
        await stage.open().refs()
    assert len(stage.server.calls) <= 2


@pytest.mark.parametrize("status", [403, 404])
async def test_catalog_that_has_no_list_is_not_one_without_entities(stage: Stage, status: int) -> None:
    stage.server.wrong["/entities/by-query"] = Wrong(status)
    with pytest.raises(CatalogUnavailable):
        await stage.open().refs()


async def test_items_that_are_no_entities_are_left_out_of_a_list(stage: Stage) -> None:
    items = [7, {}, {"kind": "Component", "metadata": {"name": "-"}}, {"kind": "Component", "metadata": {"name": "Ok"}}]
    stage.server.wrong["/entities/by-query"] = Wrong(200, json.dumps({"items": items}).encode())
    assert list(await stage.open().refs()) == [EntityRef("default", "component", "ok")]


async def test_cookies_of_an_answer_are_not_sent_again(stage: Stage) -> None:
    catalog = stage.open(cache=EntityCache(fresh_seconds=0))
    stage.server.wrong[PATH] = Wrong(200, entity_bytes(), {**JSON, "Set-Cookie": "session=of-alice"})
    await catalog.entity(PAY, viewer=user(stage.server, "alice"))
    await catalog.entity(PAY, viewer=INTERNAL)
    assert stage.server.cookies == ["", ""]
