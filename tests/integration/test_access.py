"""A server process that lets in who proves to be somebody: with tokens of its own configuration, and with Backstage's."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from techdocs.v1 import auth_pb2, auth_pb2_grpc, docs_pb2, sites_pb2

from tests.support.backstage_catalog import backstage_catalog, document
from tests.support.publishing import DOCS, Ended, publish_command, publishing, write_site
from tests.support.rpc_client import Client, problem, problem_of
from tests.support.services import RunningService, environment, running
from tests.support.token_issuers import Backstage, Issuer, backstage, key_set

CI, READER = "ci-token-0123456789", "reader-token-0123456789"
ADMINISTRATOR = "user:default/root"
WAYS_IN = [
    {"type": "static", "token": CI, "subject": "ci", "permissions": ["publish"]},
    {"type": "static", "token": READER, "subject": "reader"},
]
PUBLISHED, REFUSED = 0, 1


def bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


async def read(client: Client, token: str) -> bytes:
    """Read the front page as a browser's cookie does."""
    request = docs_pb2.ReadContentRequest(entity=DOCS, path="index.html")
    stream = client.docs.ReadContent(request, metadata=bearer(token))
    return b"".join([message.body.data async for message in stream])


async def command(target: str, *arguments: str, token: str = "") -> Ended:
    """Run one of the commands for operators in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "techdocs_server", *arguments, "--server", target),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment({"token": token} if token else {}),
    )
    async with asyncio.timeout(60):
        said, complained = await process.communicate()
    return Ended(process.returncode or 0, said.decode(), complained.decode())


@pytest.fixture
def issuers() -> Iterator[Backstage]:
    with backstage() as found:
        yield found


def with_backstage(issuers: Backstage) -> dict[str, Any]:
    return {
        "authentication": "backstage",
        "backstage_url": issuers.url,
        "external_access": WAYS_IN,
        "grants": [{"subject": ADMINISTRATOR, "permissions": ["admin"]}],
    }


async def test_commands_of_a_pipeline_and_an_operator_bring_their_tokens(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"index.html": b"<h1>front</h1>"})
    async with publishing(tmp_path / "server", authentication="tokens", external_access=WAYS_IN) as server:
        target = server.service.grpc
        nobody = await publish_command(target, site)
        assert (nobody.status, nobody.complained.strip().splitlines()[-1]) == (
            REFUSED,
            "techdocs: Missing credentials (TOKEN_INVALID)",
        )
        reader = await publish_command(target, site, token=READER)
        assert reader.status == REFUSED
        assert "external:reader has no permission to publish here (ACCESS_DENIED)" in reader.complained
        assert (await publish_command(target, site, token=CI)).status == PUBLISHED
        assert (await command(target, "sites", token=READER)).said.count("default/component/docs") == 1
        assert "(TOKEN_INVALID)" in (await command(target, "sites", token="wrong-token")).complained
        changes = await server.client.sites.ListSiteChanges(sites_pb2.ListSiteChangesRequest(), metadata=bearer(READER))
        assert changes.changes[0].actor == "external:ci"
        log = server.service.logged()
        assert CI not in log
        assert READER not in log


async def test_users_plugins_and_cookies_of_backstage_are_known(issuers: Backstage, tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"index.html": b"<h1>front</h1>"})
    async with publishing(tmp_path / "server", **with_backstage(issuers)) as server:
        client, user = server.client, issuers.user_token()
        assert (await publish_command(server.service.grpc, site, token=CI)).status == PUBLISHED
        made = await client.auth.CreateLimitedToken(auth_pb2.CreateLimitedTokenRequest(), metadata=bearer(user))
        for token in (user, made.token, issuers.plugin_token(), READER):
            assert await read(client, token) == b"<h1>front</h1>"
        listing = sites_pb2.ListSitesRequest()
        limited = await problem(client.sites.ListSites(listing, metadata=bearer(made.token)))
        assert (limited.code, limited.message) == (grpc.StatusCode.UNAUTHENTICATED, "Illegal limited user token")
        delete = sites_pb2.DeleteSiteRequest(entity=DOCS)
        assert (await problem(client.sites.DeleteSite(delete, metadata=bearer(user)))).reason == "ACCESS_DENIED"
        root = issuers.user_token(ADMINISTRATOR)
        await client.sites.DeleteSite(delete, metadata=bearer(root))
        assert user not in server.service.logged()


async def test_key_of_backstage_is_replaced_while_the_server_runs(issuers: Backstage, tmp_path: Path) -> None:
    async with publishing(tmp_path / "server", **with_backstage(issuers)) as server:
        listing = sites_pb2.ListSitesRequest()
        await server.client.sites.ListSites(listing, metadata=bearer(issuers.user_token()))
        old, issuers.auth = issuers.auth, Issuer()
        issuers.web.pages[issuers.user_keys_path] = key_set(old, issuers.auth)
        await server.client.sites.ListSites(listing, metadata=bearer(issuers.user_token()))


async def test_backstage_that_is_down_keeps_out_who_is_not_known_yet(issuers: Backstage, tmp_path: Path) -> None:
    async with publishing(tmp_path / "server", **with_backstage(issuers)) as server:
        listing, known = sites_pb2.ListSitesRequest(), issuers.plugin_token()
        await server.client.sites.ListSites(listing, metadata=bearer(known))
        issuers.web.pages.clear()
        found = await problem(server.client.sites.ListSites(listing, metadata=bearer(issuers.user_token())))
        assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "AUTHENTICATION_UNAVAILABLE")
        await server.client.sites.ListSites(listing, metadata=bearer(known))


@pytest.fixture
async def everything(issuers: Backstage, tmp_path: Path) -> AsyncIterator[RunningService]:
    (tmp_path / "catalog").mkdir()
    async with running(
        "serve", tmp_path / "server", catalog=tmp_path / "catalog", **with_backstage(issuers)
    ) as service:
        yield service


async def test_rest_asks_for_the_same_tokens_in_backstages_form(issuers: Backstage, everything: RunningService) -> None:
    async with httpx.AsyncClient(base_url=f"{everything.rest}/api/techdocs", timeout=30) as client:
        for headers, message in (
            ({}, "Missing credentials"),
            ({"Authorization": "Bearer garbage"}, "Illegal token"),
            ({"Authorization": f"Bearer {issuers.limited_token()}"}, "Illegal limited user token"),
        ):
            refused = await client.get("/metadata/techdocs/default/component/docs", headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            error = json.loads(refused.content)["error"]
            assert (error["name"], error["message"]) == ("AuthenticationError", message)
        user = {"Authorization": f"Bearer {issuers.user_token()}"}
        assert (await client.get("/metadata/techdocs/default/component/docs", headers=user)).status_code == 404
        denied = await client.delete("/v1/sites/default/component/docs", headers=user)
        assert (denied.status_code, json.loads(denied.content)["error"]["name"]) == (403, "NotAllowedError")
        keys = await client.get("/.backstage/auth/v1/jwks.json")
        assert (keys.status_code, keys.json()) == (200, {"keys": []})
        assert keys.headers["content-type"] == "application/json; charset=utf-8"


async def test_site_is_seen_by_whom_backstages_catalog_shows_its_entity(issuers: Backstage, tmp_path: Path) -> None:
    """Over three servers: the user's token, our call in the user's name, and the catalog that checks both by keys."""
    site = write_site(tmp_path / "site", {"index.html": b"<h1>front</h1>"})
    with backstage_catalog() as catalog:
        catalog.put(document("docs"))
        catalog.user_key = issuers.auth.key
        catalog.hidden.add(("component/default/docs", "user:default/bob"))
        settings = with_backstage(issuers) | {
            "policy": "catalog",
            "catalog_type": "backstage",
            "backstage_plugin_urls": {"catalog": catalog.url},
        }
        async with publishing(tmp_path / "server", **settings) as server:

            def fetched() -> bytes:
                with grpc.insecure_channel(server.service.grpc) as channel:
                    answer = auth_pb2_grpc.AuthServiceStub(channel).ListSigningKeys(auth_pb2.ListSigningKeysRequest())
                    return bytes(answer.body.data)

            catalog.key_set = fetched
            assert (await publish_command(server.service.grpc, site, token=CI)).status == PUBLISHED
            alice, bob = issuers.user_token(), issuers.user_token("user:default/bob")
            for token in (alice, issuers.limited_token(), issuers.plugin_token(obo=issuers.limited_token())):
                assert await read(server.client, token) == b"<h1>front</h1>"
            for token in (bob, issuers.limited_token("user:default/bob")):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await read(server.client, token)
                found = problem_of(caught.value)
                assert (found.reason, found.metadata["entity"]) == ("ENTITY_NOT_FOUND", "component:default/docs")
            assert {call.user for call in catalog.calls} == {"user:default/alice", "user:default/bob"}
            asked = len(catalog.calls)
            # One that proves nothing for the catalog is not asked about with this service's own rights.
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await read(server.client, issuers.user_token("user:default/carol", uip=False))
            assert problem_of(caught.value).reason == "TOKEN_INVALID"
            assert len(catalog.calls) == asked
            # Listings of every site are for those to whom reading is granted.
            listing = sites_pb2.ListSitesRequest()
            assert (
                await problem(server.client.sites.ListSites(listing, metadata=bearer(alice)))
            ).reason == "ACCESS_DENIED"
            root = issuers.user_token(ADMINISTRATOR)
            assert len((await server.client.sites.ListSites(listing, metadata=bearer(root))).sites) == 1
