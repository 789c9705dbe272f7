"""The same requests to our bridge and to Envoy's transcoder, both in front of one server and one contract."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf import any_pb2, json_format
from google.rpc import code_pb2

from tests.conformance.envoy import running_envoy
from tests.conformance.envoy_cases import AGREED, DIFFERENT, REQUEST_ID, Case, Difference
from tests.conformance.raw_http import RawAnswer, exchange, request
from tests.support.published import Catalog, Deployment, deployed
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

_LINES = "application/x-ndjson"
_JSON = "application/json"
_REQUEST_INFO = "type.googleapis.com/google.rpc.RequestInfo"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("transcoders")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo", big=True)
    catalog.add("other")
    catalog.add("broken", {"other.md": "# A site without a front page\n"})
    async with deployed(folder, catalog) as running:
        await running.sync("demo")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy(service: Deployment, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, int]]:
    async with running_envoy(tmp_path_factory.mktemp("envoy"), service.server.grpc) as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names(service: Deployment) -> Mapping[str, str]:
    """What the placeholders of the cases stand for. Leaves no build running."""
    async with httpx.AsyncClient(base_url=service.rest) as client:
        body = {"entity": {"kind": "component", "name": "demo"}, "requestId": REQUEST_ID}
        made = (await client.post("/v1/builds", json=body)).json()

        async def has_ended() -> bool:
            return bool((await client.get(f"/v1/{made['name']}")).json().get("endTime"))

        await eventually(has_ended, what="the build has ended")
        site = (await client.get("/v1/sites/default/component/demo")).json()
    return {"{build}": made["name"].removeprefix("builds/"), "{revision}": site["currentRevision"]}


async def both(
    service: Deployment, envoy: tuple[str, int], case: Case, names: Mapping[str, str]
) -> tuple[RawAnswer, RawAnswer]:
    """Send one request to our bridge, then to Envoy."""
    target, body = case.target, case.body or ""
    for name, value in names.items():
        target, body = target.replace(name, value), body.replace(name, value)
    headers = ["content-type: application/json"] if body else []
    sent = request(target, *headers, method=case.method, body=body.encode())
    return await exchange(service.address, sent), await exchange(envoy, sent)


def check_success(case: Case, ours: RawAnswer, theirs: RawAnswer) -> None:
    media_type = ours.header("content-type")
    if media_type == _LINES:
        assert [json.loads(line) for line in ours.body.splitlines()] == [
            json.loads(line) for line in theirs.body.splitlines()
        ]
        return
    assert media_type == theirs.header("content-type")
    if media_type == _JSON:
        whole = json.loads(theirs.body)
        assert json.loads(ours.body) == (whole[case.within] if case.within else whole)
    else:
        assert ours.body == theirs.body


def check_failure(ours: RawAnswer, theirs: RawAnswer) -> None:
    """Hold our error against google.rpc.Status where the server made it; a transcoder's own refusals have own words."""
    error: dict[str, Any] = json.loads(ours.body)["error"]
    assert error["code"] == ours.status
    if theirs.header("content-type") != _JSON:
        return
    status = json.loads(theirs.body)
    shown = [detail for detail in error["details"] if detail["@type"] != _REQUEST_INFO]
    if shown:
        assert (error["status"], error["message"]) == (code_pb2.Code.Name(status["code"]), status["message"])
        assert [without_defaults(detail) for detail in shown] == [
            without_defaults(detail) for detail in status["details"]
        ]


def without_defaults(detail: object) -> object:
    """Return what a detail says: only one side prints fields that have their default value."""
    return json_format.MessageToDict(json_format.Parse(json.dumps(detail), any_pb2.Any()))


@pytest.mark.parametrize("case", AGREED, ids=str)
async def test_transcoders_agree(
    service: Deployment, envoy: tuple[str, int], names: Mapping[str, str], case: Case
) -> None:
    ours, theirs = await both(service, envoy, case, names)
    assert ours.status == theirs.status, (ours.body[:500], theirs.body[:500])
    assert ours.is_complete
    assert theirs.is_complete
    if ours.status < 400:
        check_success(case, ours, theirs)
    else:
        check_failure(ours, theirs)


@pytest.mark.parametrize(("case", "difference"), DIFFERENT.items(), ids=lambda value: str(value)[:80])
async def test_transcoders_differ_only_as_listed(
    service: Deployment, envoy: tuple[str, int], names: Mapping[str, str], case: Case, difference: Difference
) -> None:
    ours, theirs = await both(service, envoy, case, names)
    assert ours.status == difference.ours, difference.why
    assert difference.envoy in (None, theirs.status), difference.why
    same = ours.body == theirs.body and ours.header("content-type") == theirs.header("content-type")
    assert not same or case.method in ("HEAD", "OPTIONS"), "they agree now: the row can go"


async def test_agreement_is_asked_for_widely() -> None:
    assert len(AGREED) >= 40
    assert len(set(AGREED)) == len(AGREED)
    assert not set(AGREED) & set(DIFFERENT)


async def test_large_answers_are_the_same_at_once(service: Deployment, envoy: tuple[str, int]) -> None:
    """Bytes that come in many messages keep their order, whoever puts them together."""
    sent = request("/docs/default/component/demo/assets/big.bin")
    answers = await asyncio.gather(*(exchange(address, sent) for address in (service.address, envoy) * 4))
    assert len({answer.body for answer in answers}) == 1
