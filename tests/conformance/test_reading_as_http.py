"""Reading content through a real bridge and a real server, as RFC 9110 has it."""

from __future__ import annotations

import email
import gzip
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import brotli
import pytest
import pytest_asyncio

from tests.conformance.raw_http import RawAnswer, exchange, request
from tests.conformance.reading_cases import BR, CASES, GZIP, IDENTITY, ReadingCase
from tests.support.published import Catalog, Deployment, deployed, site_path
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = (site_path(path="guide/start/index.html"), site_path(below="static/docs", path="guide/start/index.html"))
DECODED = {BR: brotli.decompress, GZIP: gzip.decompress}
CHANGING = frozenset({"date", "x-request-id"})


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is, and as its variants: their bytes, tags, and its date."""

    service: Deployment
    bytes: Mapping[str, bytes]
    tags: Mapping[str, str]
    modified: datetime

    def filled(self, header: str) -> str:
        """Return a header of a case with what its words stand for."""
        dates = {"before": -1, "modified": 0, "after": 1, "future": 10**6}
        values = {name: format_datetime(self.modified + timedelta(seconds=s), usegmt=True) for name, s in dates.items()}
        return header.format(**self.tags, **values, size=len(self.bytes[IDENTITY]))

    async def ask(self, path: str, *headers: str, method: str = "GET") -> RawAnswer:
        return await exchange(self.service.address, request(path, *map(self.filled, headers), method=method))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    folder = tmp_path_factory.mktemp("reading")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    async with deployed(folder, catalog) as service:
        await service.sync("demo")

        async def get(*headers: str) -> RawAnswer:
            return await exchange(service.address, request(PATHS[0], *headers))

        answers = {IDENTITY: await get()}
        for coding in (BR, GZIP):

            async def in_coding(coding: str = coding) -> bool:
                answers[coding] = await get(f"accept-encoding: {coding}")
                return answers[coding].header("content-encoding") == coding

            await eventually(in_coding, timeout_seconds=120, what=f"the page in {coding}")

        async def after_its_date() -> bool:
            """A date is told when its second is over, and {after} has come a second later."""
            date = answers[IDENTITY].header("last-modified")
            answers[IDENTITY] = await get()
            return bool(date) and datetime.now(UTC) > parsedate_to_datetime(date) + timedelta(seconds=1)

        await eventually(after_its_date, timeout_seconds=30, what="a date that is over")
        modified = parsedate_to_datetime(answers[IDENTITY].header("last-modified"))
        yield Page(
            service,
            {name: answer.body for name, answer in answers.items()},
            {name: answer.header("etag") for name, answer in answers.items()},
            modified,
        )


@pytest.mark.parametrize("path", PATHS, ids=["docs", "static"])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_request_gets_what_the_rfc_makes_of_it(page: Page, path: str, case: ReadingCase) -> None:
    answer = await page.ask(path, *case.headers)
    assert (answer.status, answer.is_complete) == (case.status, True)
    assert answer.header("x-content-type-options") == "nosniff"
    assert "transfer-encoding" not in dict(answer.headers)
    if case.status in (412, 416):
        check_refusal(page, answer)
        return
    assert answer.header("etag") == page.tags[case.selected]
    assert answer.header("last-modified") == format_datetime(page.modified, usegmt=True)
    assert answer.header("cache-control") == "no-cache"
    assert answer.header("vary") == "accept-encoding"
    assert re.fullmatch("[0-9a-f]{64}", answer.header("x-techdocs-revision"))
    if case.status == 304:
        assert answer.body == b""
        assert not {"content-type", "content-encoding", "content-range"} & set(dict(answer.headers))
        return
    assert answer.header("accept-ranges") == "bytes"
    assert int(answer.header("content-length")) == len(answer.body)
    assert answer.header("content-encoding") == ("" if case.selected == IDENTITY else case.selected)
    if case.status == 206:
        check_parts(page, case, answer, media_type(path))
    else:
        assert answer.header("content-type") == media_type(path)
        assert answer.header("content-range") == ""
        assert answer.body == page.bytes[case.selected]


def check_refusal(page: Page, answer: RawAnswer) -> None:
    body = json.loads(answer.body)
    assert body["response"] == {"statusCode": answer.status}
    assert answer.header("cache-control") == "no-store"
    assert answer.header("content-type") == "application/json"
    size = len(page.bytes[IDENTITY])
    assert answer.header("content-range") == (f"bytes */{size}" if answer.status == 416 else "")


def check_parts(page: Page, case: ReadingCase, answer: RawAnswer, part_type: str) -> None:
    whole = page.bytes[IDENTITY]
    spans = [slice(first, end).indices(len(whole)) for first, end in case.parts]
    expected = [(part_type, f"bytes {a}-{b - 1}/{len(whole)}", whole[a:b]) for a, b, _ in spans]
    if len(expected) == 1:
        found = [(answer.header("content-type"), answer.header("content-range"), answer.body)]
    else:
        assert answer.header("content-range") == ""
        found = parts_of(answer)
    assert found == expected


def parts_of(answer: RawAnswer) -> list[tuple[str, str, bytes]]:
    """Return the type, the range and the bytes of each part, read by the standard library's parser of MIME."""
    kind = answer.header("content-type")
    assert kind.startswith("multipart/byteranges; boundary=")
    message = email.message_from_bytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + answer.body)
    assert message.is_multipart()
    assert not message.defects
    found = []
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        found.append((str(part["content-type"]), str(part["content-range"]), part.get_payload(decode=True)))
    return found  # type: ignore[return-value] # decoded payloads are bytes


def media_type(path: str) -> str:
    return "text/plain; charset=utf-8" if path.startswith("/static/") else "text/html; charset=utf-8"


@pytest.mark.parametrize("path", PATHS, ids=["docs", "static"])
@pytest.mark.parametrize("case", [case for case in CASES if not case.has_range], ids=str)
async def test_head_has_the_headers_of_get(page: Page, path: str, case: ReadingCase) -> None:
    get, head = await page.ask(path, *case.headers), await page.ask(path, *case.headers, method="HEAD")
    assert (head.status, head.body) == (get.status, b"")
    assert [pair for pair in head.headers if pair[0] not in CHANGING] == [
        pair for pair in get.headers if pair[0] not in CHANGING
    ]


async def test_head_has_no_range(page: Page) -> None:
    head = await page.ask(PATHS[0], "range: bytes=0-9", method="HEAD")
    assert (head.status, int(head.header("content-length"))) == (200, len(page.bytes[IDENTITY]))


async def test_variants_are_the_page_and_have_tags_of_their_own(page: Page) -> None:
    for coding, decode in DECODED.items():
        assert decode(page.bytes[coding]) == page.bytes[IDENTITY]
    assert len(set(page.tags.values())) == 3
    assert all(re.fullmatch('"[!#-~]+"', tag) for tag in page.tags.values())


async def test_what_does_not_compress_is_itself_for_everybody(page: Page) -> None:
    answer = await page.ask(site_path(path="assets/notes.txt"), "accept-encoding: gzip, br")
    assert (answer.status, answer.header("content-encoding")) == (200, "")
    assert answer.header("vary") == "accept-encoding"


async def test_a_revision_s_address_is_immutable_with_every_coding(page: Page) -> None:
    revision = (await page.ask(PATHS[0])).header("x-techdocs-revision")
    for headers in ((), ("accept-encoding: br",), ("range: bytes=0-9",), ("if-none-match: {id}",)):
        answer = await page.ask(f"{PATHS[0]}?revision={revision}", *headers)
        assert answer.header("cache-control") == "public, max-age=31536000, immutable"
        assert answer.header("x-techdocs-revision") == revision


@pytest.mark.parametrize("path", PATHS, ids=["docs", "static"])
@pytest.mark.parametrize(
    "headers", [('if-match: "x"',), ("if-match: *",), ("if-none-match: *",), ("range: bytes=0-9",)], ids=str
)
async def test_conditions_say_nothing_of_what_is_not_there(page: Page, path: str, headers: tuple[str, ...]) -> None:
    answer = await page.ask(path.replace("index.html", "none.html"), "accept: application/json", *headers)
    assert answer.status == 404


async def test_page_for_the_missing_is_made_for_where_it_is_and_comes_without_a_tag(page: Page) -> None:
    plain = await page.ask(site_path(path="none/"))
    # Its links are turned to where the site is, and so it is none of the files that are kept in a coding.
    other = await page.ask(site_path(path="none/"), "accept-encoding: br")
    assert (plain.status, other.status) == (404, 404)
    assert other.body == plain.body != b""
    assert "content-encoding" not in dict(other.headers)
    assert plain.header("vary") == other.header("vary") == "accept-encoding, accept"
    assert not {"etag", "last-modified", "accept-ranges"} & set(dict(other.headers))


@pytest.mark.parametrize("target", ["", "guide/start", "guide/start/", "guide/start/index.html", "none/", "none.html"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [(), ("accept-encoding: br",), ("range: bytes=0-9",), ("range: bytes=0-4,9-9",)])
async def test_every_answer_with_html_has_a_policy(
    page: Page, target: str, method: str, headers: tuple[str, ...]
) -> None:
    answer = await page.ask(site_path(path=target), *headers, method=method)
    policy = answer.header("content-security-policy")
    assert answer.header("content-type").startswith(("text/html", "multipart/byteranges"))
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    for directive in ("connect-src", "worker-src", "form-action", "base-uri"):
        assert f"{directive} docs.test/docs/default/component/demo/" in policy, directive
