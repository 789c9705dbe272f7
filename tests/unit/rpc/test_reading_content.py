"""Ranges and conditions of GetContent and ReadContent, which must agree."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import docs_pb2

from tests.support.rpc_client import collected, problem, problem_at_end
from tests.unit.rpc.real_server import DEMO, MAX_UNARY_BYTES, Served, served

TEXT = "0123456789"
LARGE = "".join(f"{number:07} " for number in range(75_000))  # 600,000 bytes: three chunks of at most 256 KiB
CHUNK_BYTES = 256 * 1024


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as service:
        await service.publish(index=TEXT, empty="", large=LARGE)
        yield service


@dataclass(frozen=True)
class Answer:
    """What either method answered."""

    info: docs_pb2.ContentInfo
    range: tuple[int, int] | None
    data: bytes
    not_modified: bool


async def get(service: Served, request: docs_pb2.GetContentRequest) -> Answer:
    answer = await service.client.docs.GetContent(request)
    part = (answer.range.offset, answer.range.length) if answer.HasField("range") else None
    assert not answer.data_omitted
    return Answer(answer.info, part, answer.body.data, answer.not_modified)


async def read(service: Served, request: docs_pb2.GetContentRequest) -> Answer:
    same = docs_pb2.ReadContentRequest.FromString(request.SerializeToString())
    first, *rest = await collected(service.client.docs.ReadContent(same))
    assert not any(message.HasField("info") or message.HasField("range") for message in rest)
    part = (first.range.offset, first.range.length) if first.HasField("range") else None
    data = b"".join(message.body.data for message in (first, *rest))
    return Answer(first.info, part, data, first.not_modified)


async def both(service: Served, request: docs_pb2.GetContentRequest) -> Answer:
    """Ask both methods and return the one answer they give."""
    gotten, streamed = await get(service, request), await read(service, request)
    assert gotten == streamed
    return gotten


@pytest.mark.parametrize(
    ("offset", "limit", "part", "data"),
    [
        (0, 0, None, "0123456789"),
        (0, 3, (0, 3), "012"),
        (4, 0, (4, 6), "456789"),
        (4, 2, (4, 2), "45"),
        (9, 0, (9, 1), "9"),
        (9, 100, (9, 1), "9"),
        (0, 10, None, "0123456789"),
        (0, 11, None, "0123456789"),
        (0, 2**62, None, "0123456789"),
        (-1, 0, (9, 1), "9"),
        (-10, 0, None, "0123456789"),
        (-11, 0, None, "0123456789"),
        (-(2**63), 0, None, "0123456789"),
    ],
)
async def test_a_range_is_what_its_offset_and_limit_say(
    site: Served, offset: int, limit: int, part: tuple[int, int] | None, data: str
) -> None:
    answer = await both(
        site, docs_pb2.GetContentRequest(entity=DEMO, path="index.html", read_offset=offset, read_limit=limit)
    )
    assert (answer.range, answer.data) == (part, data.encode())
    assert answer.info.size_bytes == 10, "the size is that of the whole content"


@pytest.mark.parametrize("offset", [10, 11, 2**63 - 1])
async def test_a_range_past_the_end_is_refused_with_the_size(site: Served, offset: int) -> None:
    request = docs_pb2.GetContentRequest(entity=DEMO, path="index.html", read_offset=offset)
    refusal = await problem(site.client.docs.GetContent(request))
    stream = site.client.docs.ReadContent(docs_pb2.ReadContentRequest.FromString(request.SerializeToString()))
    _, streamed = await problem_at_end(stream)
    assert refusal.code is streamed.code is grpc.StatusCode.OUT_OF_RANGE
    assert refusal.reason == streamed.reason == "RANGE_NOT_SATISFIABLE"
    assert refusal.metadata["size_bytes"] == streamed.metadata["size_bytes"] == "10"


@pytest.mark.parametrize(("offset", "limit"), [(0, 0), (0, 5), (-5, 0)])
async def test_an_empty_file_is_an_answer_without_bytes(site: Served, offset: int, limit: int) -> None:
    answer = await both(
        site, docs_pb2.GetContentRequest(entity=DEMO, path="empty.html", read_offset=offset, read_limit=limit)
    )
    assert (answer.data, answer.range, answer.info.size_bytes) == (b"", None, 0)


async def test_an_offset_past_the_end_of_an_empty_file_is_refused(site: Served) -> None:
    request = docs_pb2.GetContentRequest(entity=DEMO, path="empty.html", read_offset=1)
    assert (await problem(site.client.docs.GetContent(request))).reason == "RANGE_NOT_SATISFIABLE"


async def test_a_large_file_is_streamed_in_bounded_chunks(site: Served) -> None:
    request = docs_pb2.ReadContentRequest(entity=DEMO, path="large.html")
    messages = await collected(site.client.docs.ReadContent(request))
    assert len(messages) > 1
    assert all(0 < len(message.body.data) <= CHUNK_BYTES for message in messages)
    assert b"".join(message.body.data for message in messages) == LARGE.encode()
    assert [message.body.content_type != "" for message in messages] == [True] + [False] * (len(messages) - 1)


async def test_a_file_too_large_for_one_message_is_described_and_left_out(site: Served) -> None:
    answer = await site.get("large.html")
    assert (answer.data_omitted, answer.body.data, answer.info.size_bytes) == (True, b"", len(LARGE))
    whole = await read(site, docs_pb2.GetContentRequest(entity=DEMO, path="large.html", revision=answer.info.revision))
    assert whole.data == LARGE.encode()


async def test_part_of_a_file_too_large_for_one_message_fits(site: Served) -> None:
    answer = await both(
        site,
        docs_pb2.GetContentRequest(entity=DEMO, path="large.html", read_offset=262_140, read_limit=MAX_UNARY_BYTES),
    )
    assert answer.data == LARGE.encode()[262_140 : 262_140 + MAX_UNARY_BYTES]
    assert answer.range == (262_140, MAX_UNARY_BYTES)


@pytest.mark.parametrize("form", ["{0}", "W/{0}", "*"])
@pytest.mark.parametrize("others", [[], ['"other"'], ['"other"', 'W/"more"']])
async def test_who_holds_the_current_bytes_gets_none(site: Served, form: str, others: list[str]) -> None:
    etag = (await site.get()).info.etag
    tags = [*others, form.format(etag)]
    answer = await both(site, docs_pb2.GetContentRequest(entity=DEMO, path="index.html", if_none_match=tags))
    assert (answer.not_modified, answer.data, answer.info.etag) == (True, b"", etag)


@pytest.mark.parametrize("tag", ['"other"', "unquoted", 'w/"lower"', '""'])
async def test_who_holds_other_bytes_gets_the_current_ones(site: Served, tag: str) -> None:
    answer = await both(site, docs_pb2.GetContentRequest(entity=DEMO, path="index.html", if_none_match=[tag]))
    assert (answer.not_modified, answer.data) == (False, TEXT.encode())


async def test_a_held_tag_comes_before_the_range(site: Served) -> None:
    etag = (await site.get()).info.etag
    request = docs_pb2.GetContentRequest(entity=DEMO, path="index.html", if_none_match=[etag], read_offset=100)
    assert (await both(site, request)).not_modified


async def test_information_comes_without_bytes(site: Served) -> None:
    request = docs_pb2.GetContentRequest(entity=DEMO, path="large.html", view=docs_pb2.CONTENT_VIEW_INFO)
    answer = await both(site, request)
    assert (answer.data, answer.info.size_bytes, answer.info.path) == (b"", len(LARGE), "large.html")


@pytest.mark.parametrize("path", ["", "index.html"])
async def test_the_front_page_has_two_names_and_one_description(site: Served, path: str) -> None:
    info = (await both(site, docs_pb2.GetContentRequest(entity=DEMO, path=path))).info
    assert info.path == "index.html"
    assert info.content_type == "text/html; charset=utf-8"
    assert info.etag == f'"{info.sha256}"'


async def test_what_is_not_there_names_the_revision_that_was_searched(site: Served) -> None:
    revision = (await site.get()).info.revision
    request = docs_pb2.GetContentRequest(entity=DEMO, path="missing.html")
    refusal = await problem(site.client.docs.GetContent(request))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CONTENT_NOT_FOUND")
    assert refusal.metadata["revision"] == revision


async def test_an_older_revision_can_be_read_by_its_id(site: Served) -> None:
    old = (await site.get()).info.revision
    new = await site.publish(index="new")
    assert (await site.get()).info.revision == new != old
    answer = await both(site, docs_pb2.GetContentRequest(entity=DEMO, path="index.html", revision=old))
    assert (answer.data, answer.info.revision) == (TEXT.encode(), old)
