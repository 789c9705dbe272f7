"""Codings, dates and privacy of GetContent and ReadContent, which must agree."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import brotli
import pytest
from techdocs.v1 import docs_pb2, sites_pb2
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.domain.principal import Principal, PrincipalKind
from techdocs_server.ports.variants import Variant
from techdocs_server.rpc.principal import set_principal
from techdocs_server.services import selecting

from tests.support.compressing import Compressing, compressing
from tests.support.pipeline import FailingBlobStore
from tests.support.rpc_client import collected
from tests.support.waiting import eventually
from tests.unit.rpc.real_server import DEMO, MAX_UNARY_BYTES, Served, served

BR, GZIP = docs_pb2.CONTENT_ENCODING_BROTLI, docs_pb2.CONTENT_ENCODING_GZIP
UNKNOWN = 99
TEXT = "A page that says much the same again and again. " * 200
LARGE = "".join(f"{number:07} " for number in range(75_000))  # more than a unary answer has, unless it is encoded
DECODE = {BR: brotli.decompress, GZIP: gzip.decompress}


@dataclass(frozen=True)
class Site:
    """A server whose site has every variant there is."""

    served: Served
    made_for: Compressing

    async def both(self, *, path: str = "index.html", **request: Any) -> docs_pb2.GetContentResponse:
        """Ask both methods and return the one answer they give."""
        asked = docs_pb2.GetContentRequest(entity=DEMO, path=path, **request)
        gotten = await self.served.client.docs.GetContent(asked)
        same = docs_pb2.ReadContentRequest.FromString(asked.SerializeToString())
        first, *rest = await collected(self.served.client.docs.ReadContent(same))
        assert not any(message.HasField("info") or message.HasField("encoded") for message in rest)
        data = b"".join(message.body.data for message in (first, *rest))
        assert (gotten.info, gotten.not_modified, gotten.private) == (first.info, first.not_modified, first.private)
        assert (gotten.encoded, gotten.range) == (first.encoded, first.range)
        assert gotten.data_omitted or gotten.body.data == data
        return gotten

    async def tags(self) -> tuple[str, str, str]:
        """Return the tags of the page and of its variants."""
        whole = await self.both()
        br, gzip = [await self.both(accept_encodings=[coding]) for coding in (BR, GZIP)]
        return whole.info.etag, br.encoded.etag, gzip.encoded.etag


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    blobs = FailingBlobStore()
    async with (
        compressing(blobs=blobs) as made_for,
        served(tmp_path, blobs=blobs, variants=made_for.variants) as service,
    ):
        await service.publish(index=TEXT, large=LARGE, tiny="tiny")
        await eventually(lambda: len(made_for.compressor.given) == 2 and made_for.compressor.rests, what="the variants")
        yield Site(service, made_for)


@pytest.mark.parametrize(
    ("accepted", "selected"),
    [
        ([], None),
        ([BR], BR),
        ([GZIP], GZIP),
        ([BR, GZIP], BR),
        ([GZIP, BR], GZIP),
        ([UNKNOWN, GZIP], GZIP),
        ([docs_pb2.CONTENT_ENCODING_UNSPECIFIED], None),
        ([UNKNOWN] * 16, None),
    ],
)
async def test_first_coding_that_is_taken_and_made_is_sent(
    site: Site, accepted: Sequence[docs_pb2.ContentEncoding.ValueType], selected: int | None
) -> None:
    answer = await site.both(accept_encodings=accepted)
    assert answer.info.size_bytes == len(TEXT)
    if selected is None:
        assert not answer.HasField("encoded")
        assert answer.body.data.decode() == TEXT
    else:
        assert answer.encoded.encoding == selected
        assert answer.encoded.size_bytes == len(answer.body.data) < len(TEXT)
        assert DECODE[answer.encoded.encoding](answer.body.data).decode() == TEXT


async def test_every_representation_has_a_tag_of_its_own(site: Site) -> None:
    tags = await site.tags()
    assert len(set(tags)) == 3
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


async def test_tag_of_any_representation_that_is_taken_is_held(site: Site) -> None:
    whole, br, gzip = await site.tags()
    for accepted, held, expected in (
        ([BR, GZIP], [br], br),
        ([BR, GZIP], [f"W/{gzip}"], gzip),
        ([BR, GZIP], [whole], whole),
        ([BR], ["*"], br),
        ([], ["*"], whole),
        ([], [whole], whole),
        ([], [br], None),
        ([BR], [gzip], None),
        ([BR], ['"x"'], None),
    ):
        answer = await site.both(accept_encodings=accepted, if_none_match=held)
        tag = answer.encoded.etag if answer.HasField("encoded") else answer.info.etag
        assert (answer.not_modified, bool(answer.body.data)) == (expected is not None, expected is None)
        assert expected in (None, tag), (accepted, held)


@pytest.mark.parametrize("part", [{"read_limit": 9}, {"read_offset": 3}, {"read_offset": -3}, {"read_limit": 10**6}])
async def test_parts_are_of_the_page_itself(site: Site, part: dict[str, Any]) -> None:
    answer = await site.both(path="index.html", accept_encodings=[BR], **part)
    assert not answer.HasField("encoded")
    assert answer.body.data.decode() in TEXT


async def test_what_is_asked_about_is_what_would_be_sent(site: Site) -> None:
    sent, asked = [
        await site.both(accept_encodings=[BR], view=view)
        for view in (docs_pb2.CONTENT_VIEW_FULL, docs_pb2.CONTENT_VIEW_INFO)
    ]
    assert (asked.info, asked.encoded, asked.body.data) == (sent.info, sent.encoded, b"")


async def test_small_files_are_themselves(site: Site) -> None:
    answer = await site.both(path="tiny.html", accept_encodings=[BR, GZIP])
    assert (answer.HasField("encoded"), answer.body.data) == (False, b"tiny")


async def test_large_page_fits_one_message_when_it_is_encoded(site: Site) -> None:
    assert (await site.both(path="large.html")).data_omitted
    encoded = await site.both(path="large.html", accept_encodings=[BR])
    assert len(encoded.body.data) < MAX_UNARY_BYTES < len(LARGE)
    assert brotli.decompress(encoded.body.data).decode() == LARGE


async def test_caller_bounds_what_comes_in_one_message(site: Site) -> None:
    for most, is_omitted in ((len(TEXT), False), (len(TEXT) - 1, True), (10**12, False)):
        answer = await site.both(max_data_bytes=most)
        assert (answer.data_omitted, answer.body.data.decode()) == (is_omitted, "" if is_omitted else TEXT)
    assert (await site.both(path="large.html", max_data_bytes=10**12)).data_omitted


class LosingStore:
    """Says of every variant where it is, and has none: what a disk that was cleared meanwhile does."""

    def __init__(self, made_for: Compressing) -> None:
        self.locate = made_for.store.locate
        self.missing = made_for.store.missing
        self.put = made_for.store.put
        self.delete = made_for.store.delete

    async def get(self, identity: object, encoding: ContentEncoding) -> Variant | None:
        return None


async def test_lost_variant_is_the_page_itself(site: Site) -> None:
    site.made_for.variants._store = LosingStore(site.made_for)
    answer = await site.both(accept_encodings=[BR, GZIP])
    assert (answer.HasField("encoded"), answer.body.data.decode()) == (False, TEXT)
    assert (await site.both(path="large.html", accept_encodings=[BR])).data_omitted


async def test_variant_too_large_to_be_held_is_not_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "MOST_VARIANT_BYTES", 10)
    assert not (await site.both(accept_encodings=[BR])).HasField("encoded")


async def test_date_is_when_the_site_became_what_it_is(site: Site) -> None:
    async def date(revision: str = "") -> datetime:
        return (await site.both(revision=revision)).info.last_modified.ToDatetime(UTC)

    begun = datetime.now(UTC)
    first = (await site.both()).info.revision
    first_date = await date()
    assert first_date < begun
    second = await site.served.publish(index=TEXT, large=LARGE, tiny="other")
    second_date = await date()
    # Of all files alike: a client that knows nothing but dates gets one too often, and never an old one.
    assert begun < second_date < datetime.now(UTC)
    await site.served.client.sites.RollbackSite(sites_pb2.RollbackSiteRequest(entity=DEMO, revision=first))
    # The same bytes again are later than those that were between.
    assert second_date < await date() == await date(first)
    assert first_date < begun < await date(second) < await date()


async def test_answer_is_private_when_somebody_is_known_to_ask(site: Site) -> None:
    assert not (await site.both()).private

    async def known() -> None:
        set_principal(Principal(PrincipalKind.USER, "user:default/alice"))

    site.served.docs.before = known
    for request in ({}, {"if_none_match": ["*"]}, {"accept_encodings": [BR]}, {"view": 2}, {"read_limit": 2}):
        assert (await site.both(**request)).private
