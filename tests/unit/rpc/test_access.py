"""Every method with every kind of credential: generated from the contract, so that no method escapes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from techdocs.v1 import access_pb2, auth_pb2, builds_pb2, docs_pb2, sites_pb2
from techdocs_bridge.transcoding.routes import services
from techdocs_server.adapters.authentication.authenticating import CachingAuthenticator
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.rpc.access_rules import RuleInvalid, access_rules
from techdocs_server.rpc.server import AccessControl

from tests.support.authenticators import ADMIN, ELSEWHERE, PUBLISHER, READER, authenticator
from tests.support.rpc_client import Problem, problem, problem_of
from tests.support.token_issuers import ALICE, Backstage, backstage
from tests.unit.rpc.any_method import METHODS, Metadata, failure, request_of
from tests.unit.rpc.real_server import DEMO, Served, served

# What each method asks, said here a second time: a rule that is loosened by mistake differs from this.
PUBLIC = {"ListSigningKeys"}
LIMITED = {"ReadContent", "GetContent"}
PUBLISHING = {"FindMissingBlobs", "PublishSite"}
ADMINISTERING = {
    "CancelBuild",
    "CollectGarbage",
    "DeleteRevision",
    "DeleteSite",
    "PinRevision",
    "RollbackSite",
    "UnpinRevision",
}
KNOWN = {
    "CreateBuild",
    "CreateLimitedToken",
    "GetBuild",
    "GetCapabilities",
    "GetEntityMetadata",
    "GetRevision",
    "GetSite",
    "GetSiteMetadata",
    "ListBuilds",
    "ListContents",
    "ListRevisions",
    "ListSiteChanges",
    "ListSites",
    "StreamSync",
    "SyncSite",
    "WatchBuild",
    "WatchSites",
}
CREDENTIALS = (
    "none",
    "another scheme",
    "garbage",
    "wrong signature",
    "limited",
    "user",
    "plugin",
    "obo",
    "program",
    "publisher",
    "admin",
    "elsewhere",
    "two",
)


@pytest.fixture(scope="module")
def issuers() -> Iterator[Backstage]:
    with backstage() as found:
        yield found


@pytest.fixture
async def guarded(issuers: Backstage, tmp_path: Path) -> AsyncIterator[Served]:
    """A server that lets in who proves to be somebody."""
    async with KeyFetcher() as fetcher:
        judge = CachingAuthenticator(authenticator(issuers, fetcher), SystemClock())
        async with served(tmp_path, access=AccessControl(judge, None)) as service:
            yield service


def metadata(issuers: Backstage, kind: str) -> list[tuple[str, str]]:
    """Return the metadata of a call with credentials of a kind."""
    token = {
        "garbage": "garbage",
        "wrong signature": issuers.user_token()[:-8] + "AAAAAAAA",
        "limited": issuers.limited_token(),
        "user": issuers.user_token(),
        "plugin": issuers.plugin_token(),
        "obo": issuers.plugin_token(obo=issuers.limited_token()),
        "program": READER,
        "publisher": PUBLISHER,
        "admin": ADMIN,
        "elsewhere": ELSEWHERE,
    }.get(kind)
    if kind == "none":
        return []
    if kind == "another scheme":
        return [("authorization", f"Basic {ADMIN}")]
    if kind == "two":
        return [("authorization", f"Bearer {ADMIN}"), ("authorization", f"Bearer {ADMIN}")]
    return [("authorization", f"Bearer {token}")]


def expected(method: str, kind: str) -> tuple[grpc.StatusCode, str] | None:
    """Return how a call with credentials of a kind is refused, None when it is let in."""
    if method in PUBLIC:
        return None
    missing = {"none": "Missing credentials", "another scheme": "Missing credentials"}
    illegal = {"garbage": "Illegal token", "two": "Illegal token", "wrong signature": "Failed user token verification"}
    if kind in missing or kind in illegal:
        return grpc.StatusCode.UNAUTHENTICATED, {**missing, **illegal}[kind]
    if kind == "elsewhere":
        return grpc.StatusCode.PERMISSION_DENIED, "This token's access is restricted to plugin(s) 'catalog'"
    if kind == "limited" and method not in LIMITED:
        return grpc.StatusCode.UNAUTHENTICATED, "Illegal limited user token"
    needed = {"publish"} if method in PUBLISHING else {"admin"} if method in ADMINISTERING else set()
    has = {"publisher": {"publish"}, "admin": {"publish", "admin"}}.get(kind, set())
    if needed - has:
        return grpc.StatusCode.PERMISSION_DENIED, f"has no permission to {needed.pop()} here"
    if method == "CreateLimitedToken" and kind not in ("user", "obo"):
        return grpc.StatusCode.PERMISSION_DENIED, "This endpoint does not allow 'service' credentials"
    return None


async def outcome(service: Served, path: str, given: Metadata) -> Problem | None:
    """Call a method with an empty request and return how it failed, None when it did not."""
    return await failure(service.client.channel, path, request_of(path), given)


def test_every_method_of_the_contract_is_in_this_table() -> None:
    assert sorted(method.name for method in METHODS.values()) == sorted(
        PUBLIC | LIMITED | PUBLISHING | ADMINISTERING | KNOWN
    )
    assert set(access_rules(services())) == set(METHODS)


@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_every_method_lets_in_whom_it_should(issuers: Backstage, guarded: Served, kind: str) -> None:
    given = metadata(issuers, kind)
    for path, method in METHODS.items():
        refusal, found = expected(method.name, kind), await outcome(guarded, path, given)
        refused = found if found is not None and found.reason in ("TOKEN_INVALID", "ACCESS_DENIED") else None
        if refusal is None:
            assert refused is None, path
        else:
            # Also: nothing is said of the request, which breaks most of the methods' rules.
            assert refused is not None, path
            assert (refused.code, refused.violations) == (refusal[0], {}), path
            assert refusal[1] in refused.message, path


async def test_bytes_that_are_no_request_are_refused_as_nobodys_first(guarded: Served) -> None:
    channel: Any = guarded.client.channel
    call = channel.unary_unary("/techdocs.v1.DocsService/GetContent")
    assert (await problem(call(b"\xff\xff", metadata=[]))).reason == "TOKEN_INVALID"
    let_in = [("authorization", f"Bearer {READER}")]
    assert (await problem(call(b"\xff\xff", metadata=let_in))).reason == "FIELD_INVALID"


@pytest.mark.parametrize(
    "given",
    [
        [("authorization-bin", f"Bearer {ADMIN}".encode())],
        [("authorization", f"Bearer {ADMIN} {ADMIN}")],
        [("authorization", f"Bearer {ADMIN},Bearer {READER}")],
        [("authorization", ADMIN)],
        [("authorization", f"xBearer {ADMIN}")],
        [("cookie", f"backstage-auth={ADMIN}")],
        [("x-authorization", f"Bearer {ADMIN}")],
        [("grpc-authorization", f"Bearer {ADMIN}")],
        [("authorization", f"Bearer {READER}"), ("authorization", f"Bearer {ADMIN}")],
    ],
    ids=lambda given: f"{given[0][0]} {len(given)} {given[0][1][:8]!r}",
)
async def test_token_that_is_not_where_it_belongs_lets_nobody_in(guarded: Served, given: list[tuple[str, Any]]) -> None:
    found = await problem(guarded.client.sites.ListSites(sites_pb2.ListSitesRequest(), metadata=given))
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_scheme_is_read_as_backstage_does(guarded: Served, scheme: str) -> None:
    given = [("authorization", f"{scheme} {READER}")]
    await guarded.client.sites.ListSites(sites_pb2.ListSitesRequest(), metadata=given)


async def test_health_and_reflection_ask_nobody(guarded: Served) -> None:
    assert (await guarded.client.check_health(health_pb2.HealthCheckRequest())).status == 1


async def test_issuer_that_is_down_lets_nobody_in_and_calls_nobody_bad(tmp_path: Path) -> None:
    with backstage() as issuers:
        token = issuers.user_token()
        issuers.web.pages.clear()
        async with KeyFetcher() as fetcher:
            access = AccessControl(authenticator(issuers, fetcher), None)
            async with served(tmp_path, access=access) as service:
                given = [("authorization", f"Bearer {token}")]
                found = await problem(service.get_with(given))
                assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "AUTHENTICATION_UNAVAILABLE")
                assert found.retry_seconds == 5.0
                # Those who need no keys come in all the same.
                given = [("authorization", f"Bearer {READER}")]
                assert (await problem(service.get_with(given))).reason == "SITE_NOT_FOUND"


async def test_change_is_written_down_under_the_name_that_was_proven(issuers: Backstage, guarded: Served) -> None:
    admin = [("authorization", f"Bearer {ADMIN}")]
    user = [("authorization", f"Bearer {issuers.plugin_token(obo=issuers.limited_token())}")]
    guarded.pipeline.write(index="# Hello")
    await guarded.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=DEMO), metadata=user)
    site = sites_pb2.DeleteSiteRequest(entity=DEMO)
    assert (await problem(guarded.client.sites.DeleteSite(site, metadata=user))).reason == "ACCESS_DENIED"
    await guarded.client.sites.DeleteSite(site, metadata=admin)
    changes = await guarded.client.sites.ListSiteChanges(sites_pb2.ListSiteChangesRequest(), metadata=user)
    assert changes.changes[0].actor == "external:root"


async def test_limited_token_is_made_and_a_good_one_is_kept(issuers: Backstage, guarded: Served) -> None:
    async def made(held: str = "", token: str = "") -> auth_pb2.CreateLimitedTokenResponse:
        given = [("authorization", f"Bearer {token or user}")]
        request = auth_pb2.CreateLimitedTokenRequest(held_token=held)
        return await guarded.client.auth.CreateLimitedToken(request, metadata=given)

    user = issuers.user_token()
    first = await made()
    assert first.renewed
    assert abs(first.expire_time.seconds - time.time() - 3600) < 60
    content = docs_pb2.GetContentRequest(entity=DEMO, path="index.html")
    limited = [("authorization", f"Bearer {first.token}")]
    assert (await problem(guarded.client.docs.GetContent(content, metadata=limited))).reason == "SITE_NOT_FOUND"
    again = await made(first.token)
    assert (again.renewed, again.token, again.expire_time) == (False, "", first.expire_time)
    for held in (
        issuers.limited_token("user:default/bob"),
        issuers.limited_token(exp=int(time.time()) + 290),
        user,
        "garbage",
    ):
        assert (await made(held)).renewed, held
    assert not (await made(issuers.limited_token(exp=int(time.time()) + 330))).renewed
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await made(token=issuers.user_token(uip=False))
    assert problem_of(caught.value).message == "Failed to create limited user token, missing user identity proof"
    assert ALICE not in first.token


async def test_without_authentication_everybody_may_everything_and_needs_no_token(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        for path in METHODS:
            found = await outcome(service, path, [("authorization", "Bearer garbage")])
            assert found is None or found.reason not in ("TOKEN_INVALID", "ACCESS_DENIED"), path
        made = await service.client.auth.CreateLimitedToken(auth_pb2.CreateLimitedTokenRequest())
        assert (made.token, made.renewed) == ("", False)
        assert made.expire_time.seconds > 0


async def test_waiting_for_keys_ends_at_the_callers_deadline(tmp_path: Path) -> None:
    class Never:
        async def authenticate(self, token: str) -> Any:
            await asyncio.Event().wait()

    async with served(tmp_path, access=AccessControl(Never(), None)) as service:
        found = await problem(service.get(timeout=0.3))
        assert found.code is grpc.StatusCode.DEADLINE_EXCEEDED


def contract(**option: Any) -> MethodDescriptor:
    """Return a method of a contract of its own with a rule."""
    file = descriptor_pb2.FileDescriptorProto(
        name="probe.proto",
        package="probe",
        syntax="proto3",
        dependency=["techdocs/v1/access.proto", "techdocs/v1/entity.proto"],
    )
    request = file.message_type.add(name="Request")
    request.field.add(name="entity", number=1, type=11, label=1, type_name=".techdocs.v1.EntityRef")
    file.message_type.add(name="Empty")
    method = file.service.add(name="Probe").method.add(name="Call", output_type=".probe.Empty")
    method.input_type = f".probe.{option.pop('request', 'Request')}"
    method.client_streaming = option.pop("stream", False)
    if option:
        method.options.Extensions[access_pb2.access_rule].CopyFrom(access_pb2.AccessRule(**option))
    pool = descriptor_pool.DescriptorPool()
    for dependency in ("google/protobuf/descriptor.proto", "techdocs/v1/access.proto"):
        _copy(pool, dependency)
    _copy(pool, "techdocs/v1/entity.proto")
    pool.Add(file)
    return pool.FindServiceByName("probe.Probe").methods[0]


def _copy(pool: descriptor_pool.DescriptorPool, name: str) -> None:
    found, file = descriptor_pool.Default().FindFileByName(name), descriptor_pb2.FileDescriptorProto()
    for dependency in found.dependencies:
        try:
            pool.FindFileByName(dependency.name)
        except KeyError:
            _copy(pool, dependency.name)
    try:
        pool.FindFileByName(name)
    except KeyError:
        found.CopyToProto(file)
        pool.Add(file)


READ, ENTITY = access_pb2.ACCESS_READ, access_pb2.ACCESS_SCOPE_ENTITY


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ({}, "does not say what it asks"),
        ({"access": READ}, "does not say what it asks"),
        ({"scope": ENTITY}, "does not say what it asks"),
        ({"access": 99, "scope": ENTITY}, "does not say what it asks"),
        ({"access": access_pb2.ACCESS_PUBLIC, "scope": ENTITY}, "is open to everybody and about sites"),
        ({"access": READ, "scope": ENTITY, "request": "Empty"}, "has no field for it"),
        ({"access": READ, "scope": access_pb2.ACCESS_SCOPE_BUILD}, "has no field for it"),
        ({"access": READ, "scope": ENTITY, "stream": True}, "takes a stream"),
        ({"access": access_pb2.ACCESS_SYNC, "scope": ENTITY, "limited_token_suffices": True}, "more than read"),
        ({"access": access_pb2.ACCESS_ADMIN, "scope": ENTITY, "limited_token_suffices": True}, "more than read"),
        (
            {"access": READ, "scope": access_pb2.ACCESS_SCOPE_ALL, "limited_token_suffices": True},
            "more than read one site",
        ),
    ],
)
def test_method_without_a_rule_that_can_be_kept_stops_the_start(option: dict[str, Any], problem: str) -> None:
    method = contract(**option)
    with pytest.raises(RuleInvalid, match=rf"^probe\.Probe\.Call .*{problem}"):
        access_rules([method.containing_service])


def test_method_with_a_rule_is_known_by_its_path() -> None:
    method = contract(access=READ, scope=ENTITY, limited_token_suffices=True)
    rules = access_rules([method.containing_service])
    assert rules["/probe.Probe/Call"].limited_token_suffices
