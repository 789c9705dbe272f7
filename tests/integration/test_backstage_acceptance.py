"""The bridge as Backstage's clients use it: a real server, a real bridge, and Backstage's own code for tokens and catalog."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import jwt
import pytest
import pytest_asyncio

from tests.conformance.backstage_site import write_sources
from tests.support.backstage.backend import ALICE, RESTRICTED_TOKEN, STATIC_TOKEN
from tests.support.backstage.service import ORIGIN, InBackstage, in_backstage
from tests.support.published import BUILD_SECONDS

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The first test may install Backstage's packages.
    pytest.mark.timeout(1200),
]

METADATA = "/metadata/techdocs/default/component"
ENTITY = "/metadata/entity/default/component"
SYNC = "/sync/default/component"
STATIC = "/static/docs/default/component"
COOKIE = "/.backstage/auth/v1/cookie"


@dataclass(frozen=True, slots=True)
class Asked:
    """A service in Backstage, and tokens for it."""

    placed: InBackstage
    user: str
    limited: str
    plugin: str
    client: httpx.AsyncClient

    async def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """Ask below the mount, as the user unless another token, or an empty one for none, is given."""
        token = self.user if token is None else token
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        return await self.client.get(path, headers={**bearer, **headers})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    folder = tmp_path_factory.mktemp("acceptance")
    sources = folder / "sources"
    entities = write_sources(sources)
    async with (
        in_backstage(folder, entities=entities, sources=sources) as placed,
        httpx.AsyncClient(base_url=placed.techdocs, timeout=BUILD_SECONDS) as client,
    ):
        user = await placed.home.user_token()
        limited = await placed.home.limited_token(user)
        found = Asked(placed, user, limited, await placed.home.plugin_token(), client)
        assert '{"updated":true}' in (await found.get(f"{SYNC}/demo")).text
        yield found


def told(answer: httpx.Response, status: int, name: str, message: str) -> Mapping[str, object]:
    """Check an error body, and return the error."""
    body = answer.json()
    assert (answer.status_code, body["error"]["name"], body["error"]["message"]) == (status, name, message)
    assert body["response"] == {"statusCode": status}
    error: Mapping[str, object] = body["error"]
    return error


async def test_metadata_need_credentials_that_are_good(asked: Asked) -> None:
    nothing = await asked.get(f"{METADATA}/demo", "")
    told(nothing, 401, "AuthenticationError", "Missing credentials")
    assert nothing.json()["request"] == {"method": "GET", "url": f"{METADATA}/demo"}
    told(await asked.get(f"{METADATA}/demo", "garbage"), 401, "AuthenticationError", "Illegal token")
    told(await asked.get(f"{METADATA}/demo", asked.limited), 401, "AuthenticationError", "Illegal limited user token")
    cookie = await asked.get(f"{METADATA}/demo", "", cookie=f"backstage-auth={asked.limited}")
    told(cookie, 401, "AuthenticationError", "Missing credentials")


async def test_metadata_have_their_time_in_milliseconds(asked: Asked) -> None:
    answer = await asked.get(f"{METADATA}/demo")
    metadata = answer.json()
    assert isinstance(metadata["build_timestamp"], int)
    assert abs(metadata["build_timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 3600
    assert {"index.html", "techdocs_metadata.json"} <= set(metadata["files"])
    other_case = await asked.get("/Metadata/TechDocs/Default/Component/Demo/")
    assert (other_case.status_code, other_case.content) == (200, answer.content)


async def test_metadata_that_are_not_there_are_told_in_backstages_words(asked: Asked) -> None:
    unknown = "Unable to get metadata for 'component:default/unknown'"
    told(await asked.get(f"{METADATA}/unknown"), 404, "NotFoundError", unknown)
    told(await asked.get(f"{ENTITY}/Unknown"), 404, "NotFoundError", unknown)
    unbuilt = await asked.get(f"{METADATA}/nodocs")
    assert unbuilt.status_code == 404
    message = unbuilt.json()["error"]["message"]
    assert message.startswith("Unable to get metadata for 'component:default/nodocs'; caused by ")
    error = told(
        await asked.get(f"{ENTITY}/noann"),
        404,
        "NotFoundError",
        "Unable to get metadata for 'component:default/noann'; caused by InputError: "
        "No backstage.io/techdocs-ref annotation provided in entity: noann",
    )
    assert error["cause"] == {
        "name": "InputError",
        "message": "No backstage.io/techdocs-ref annotation provided in entity: noann",
    }


async def test_entity_is_whole_and_says_where_it_is(asked: Asked) -> None:
    entity = (await asked.get("/metadata/entity/Default/Component/Demo", STATIC_TOKEN)).json()
    assert (entity["kind"], entity["metadata"]["name"], entity["spec"]["owner"]) == ("Component", "demo", "team-a")
    assert set(entity["locationMetadata"]) == {"type", "target"}
    assert entity["relations"]


@pytest.mark.parametrize("name", ["unknown", "nouid"])
async def test_sync_of_what_is_no_entity_is_json(asked: Asked, name: str) -> None:
    answer = await asked.get(f"{SYNC}/{name}")
    told(answer, 404, "NotFoundError", "Entity metadata UID missing")
    assert answer.headers["content-type"] == "application/json"
    # The reader shows nothing but event streams, and then this one's message.
    shown = await asked.get(f"{SYNC}/{name}", accept="text/event-stream")
    assert (shown.status_code, shown.text) == (404, 'event: error\ndata: "Entity metadata UID missing"\n\n')


async def test_sync_tells_its_steps_and_one_end_and_then_rests_for_a_minute(asked: Asked) -> None:
    answers = await asyncio.gather(*(asked.get(f"{SYNC}/built") for _ in range(2)))
    for answer in answers:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-cache"
        events = [frame for frame in answer.text.split("\n\n") if "event: " in frame]
        assert events[-1] == 'event: finish\ndata: {"updated":true}', answer.text
        assert [event for event in events if "event: log" not in event] == events[-1:]
        data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
        assert all(isinstance(json.loads(line), str | dict) for line in data)
        steps = [answer.text.index(f"Step {n} of 3") for n in (1, 2, 3)]
        assert steps == sorted(steps)
    again = await asked.get(f"{SYNC}/built")
    assert again.text.removeprefix("retry: 2000\n\n") == 'event: finish\ndata: {"updated":false}\n\n'


async def test_sync_of_what_cannot_be_built_ends_in_an_error_inside_the_stream(asked: Asked) -> None:
    for name, message in (
        ("noann", "No backstage.io/techdocs-ref annotation provided in entity: noann"),
        ("oddref", 'No preparer registered for type: "carrier-pigeon"'),
    ):
        answer = await asked.get(f"{SYNC}/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        assert json.loads(answer.text.rpartition("data: ")[2]) == message
        assert answer.text.count("event: error") == 1
        assert "event: finish" not in answer.text


async def test_paths_that_backstage_has_not_are_not_found(asked: Asked) -> None:
    for path in ("/nothing/here", "/cookie", ""):
        assert (await asked.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("file", "media_type"),
    [
        ("index.html", "text/plain; charset=utf-8"),
        ("types/a.svg", "text/plain; charset=utf-8"),
        ("types/a.xml", "text/plain; charset=utf-8"),
        ("types/noextension", "text/plain; charset=utf-8"),
        ("types/a.css", "text/css; charset=utf-8"),
        ("types/a.js", "application/javascript; charset=utf-8"),
        ("search/search_index.json", "application/json; charset=utf-8"),
        ("types/a.png", "image/png"),
        ("types/a.pdf", "application/pdf"),
        ("types/a.yaml", "text/yaml; charset=utf-8"),
    ],
)
async def test_files_have_types_that_no_browser_runs(asked: Asked, file: str, media_type: str) -> None:
    answer = await asked.get(f"{STATIC}/demo/{file}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_user_gets_a_cookie_that_reads_pages_and_nothing_else(asked: Asked) -> None:
    answer = await asked.get(COOKIE)
    (cookie,) = answer.headers.get_list("set-cookie")
    value, _, attributes = cookie.partition("; ")
    token = value.removeprefix("backstage-auth=")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["typ"] == "vnd.backstage.limited-user"
    assert (set(claims), claims["sub"]) == ({"sub", "iat", "exp"}, ALICE)
    expires = datetime.fromtimestamp(claims["exp"], UTC)
    assert datetime.fromisoformat(answer.json()["expiresAt"]) == expires
    assert attributes == (
        f"Domain=localhost; Path=/; Expires={expires:%a, %d %b %Y %H:%M:%S} GMT; "
        "HttpOnly; Secure; Priority=High; SameSite=None"
    )
    held = {"cookie": value}
    second = await asked.get(COOKIE, **held)
    assert (second.status_code, second.json()) == (200, answer.json())
    assert "set-cookie" not in second.headers
    assert (await asked.get(f"{STATIC}/demo/index.html", "", **held)).status_code == 200
    assert (await asked.get("/docs/default/component/demo/", "", **held)).status_code == 200
    for path in (f"{METADATA}/demo", f"{ENTITY}/demo", f"{SYNC}/demo", "/v1/sites", COOKIE):
        told(await asked.get(path, "", **held), 401, "AuthenticationError", "Missing credentials")
    posted = await asked.client.post(f"{SYNC}/demo", headers=held)
    told(posted, 401, "AuthenticationError", "Missing credentials")


async def test_bad_bearer_token_is_fatal_whatever_the_cookie(asked: Asked) -> None:
    cookie = {"cookie": f"backstage-auth={asked.limited}"}
    assert (await asked.get(f"{STATIC}/demo/index.html", asked.limited)).status_code == 200
    told(await asked.get(f"{STATIC}/demo/index.html", "bad", **cookie), 401, "AuthenticationError", "Illegal token")
    basic = await asked.get(f"{STATIC}/demo/index.html", "", authorization="Basic dTpw", **cookie)
    assert basic.status_code == 200
    told(await asked.get(f"{STATIC}/demo/index.html", ""), 401, "AuthenticationError", "Missing credentials")


async def test_cookie_is_for_users_and_taken_back_by_whoever_has_credentials(asked: Asked) -> None:
    told(await asked.get(COOKIE, ""), 401, "AuthenticationError", "Missing credentials")
    assert (await asked.get(COOKIE, STATIC_TOKEN)).status_code == 403
    assert (await asked.client.delete(COOKIE)).status_code == 401
    for token in (asked.user, STATIC_TOKEN):
        cleared = await asked.client.delete(COOKIE, headers={"authorization": f"Bearer {token}"})
        assert (cleared.status_code, cleared.content) == (204, b"")
        assert cleared.headers["set-cookie"].startswith("backstage-auth=; ")
        assert "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in cleared.headers["set-cookie"]


async def test_keys_are_for_everybody(asked: Asked) -> None:
    answer = await asked.get("/.backstage/auth/v1/jwks.json", "")
    assert [(key["kty"], key["crv"], key["alg"]) for key in answer.json()["keys"]] == [("EC", "P-256", "ES256")]


async def test_collator_reads_the_index_and_no_other_plugins_token_does(asked: Asked) -> None:
    index = f"{STATIC}/demo/search/search_index.json"
    documents = (await asked.get(index, asked.plugin)).json()["docs"]
    assert {"location", "title", "text"} <= set(documents[0])
    elsewhere = await asked.placed.home.plugin_token("catalog")
    told(await asked.get(index, elsewhere), 401, "AuthenticationError", "Failed plugin token verification")
    # A page request that is not allowed is a page that is not there.
    assert (await asked.get(index, RESTRICTED_TOKEN)).status_code == 404


async def test_app_of_another_origin_reads_with_credentials(asked: Asked) -> None:
    answer = await asked.get(f"{METADATA}/demo", origin=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    refused = await asked.get(f"{METADATA}/demo", "", origin=ORIGIN)
    assert refused.headers["access-control-allow-origin"] == ORIGIN, "else the app could not read why"


@pytest.mark.parametrize("suffix", ["..%5cother", "%2e%2e/%2e%2e/x", "%zz", "a%00"])
async def test_path_out_of_the_site_is_content_that_is_not_there(asked: Asked, suffix: str) -> None:
    # httpx would tidy the path up.
    url = httpx.URL(f"{asked.placed.techdocs}{STATIC}/demo/")
    raw = url.copy_with(raw_path=url.raw_path + suffix.encode())
    answer = await asked.client.get(raw, headers={"authorization": f"Bearer {asked.user}"})
    told(answer, 404, "NotFoundError", "Content not found for component:default/demo")
