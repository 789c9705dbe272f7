"""Sites from outside that are refused: paths, order, bytes, bounds."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import (
    QuotaExceeded,
)
from techdocs_server.domain.publish import Chunk, ManifestPart, PublishLimits, PublishMessage
from techdocs_server.domain.publish_errors import (
    ManifestRefused,
    SentBytesMismatch,
    StreamOrderInvalid,
)

from tests.support.publishes import (
    LARGE,
    PAGES,
    SITE,
    Acceptance,
    chunks_of,
    header,
    messages_of,
    parts_of,
)

PATHS = [
    "/etc/passwd",
    "../up.html",
    "a/../../up.html",
    "a/..",
    "..",
    ".",
    "./a.html",
    "a//b.html",
    "a/",
    "a\\b.html",
    "..\\up.html",
    "a\x00.html",
    "a\nb.html",
    "a\x7fb",
    "\ud800",
    "x" * 1025,
]


@pytest.mark.parametrize("path", PATHS)
async def test_no_path_leads_out_of_a_site(path: str) -> None:
    service = Acceptance()
    files = {"index.html": b"one", path: b"evil"}
    with pytest.raises(ManifestRefused):
        await service.publish(files, sent=[])
    assert service.blobs._contents == {}


A = Digest.of(b"a")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("index.html", A), ("index.html", A)], "'index.html' is there twice"),
        ([("readme.html", A)], "no index.html"),
        ([("index.html", A), ("a", A), ("a/b/c.html", A)], "'a' is a file"),
        ([("index.html", A), ("b.html", Digest(A.sha256, 2))], "another size"),
        ([("index.html", A), ("techdocs_metadata.json", Digest(Digest.of(b"m").sha256, 2**30))], "more than"),
    ],
)
async def test_files_that_are_no_site_are_refused_with_what_is_wrong(
    files: list[tuple[str, Digest]], words: str
) -> None:
    service = Acceptance(limits=PublishLimits(max_bytes=2**40, max_files=100))
    with pytest.raises(ManifestRefused, match=words):
        await service.send([header(), ManifestPart(files), *chunks_of(b"a")])
    with pytest.raises(ManifestRefused, match=words):
        await service.send([header(), *(ManifestPart([file]) for file in files), *chunks_of(b"a")])


async def test_more_files_or_bytes_than_a_site_may_have_are_refused_before_any_is_sent() -> None:
    sent: list[PublishMessage] = []

    async def told(messages: list[PublishMessage]) -> AsyncIterator[PublishMessage]:
        for message in messages:
            sent.append(message)
            yield message

    service = Acceptance(limits=PublishLimits(max_bytes=10, max_files=2))
    for files in ({"index.html": b"1", "2": b"2", "3": b"3"}, {"index.html": b"x" * 11}):
        sent.clear()
        with pytest.raises(QuotaExceeded):
            await service.acceptor.accept(told(messages_of(files, header())))
        assert not any(isinstance(message, Chunk) for message in sent)
    with pytest.raises(ManifestRefused, match="parts"):
        await service.send([header(), *[ManifestPart([])] * 1001])


H, M = header(), parts_of(PAGES)
[ONE] = chunks_of(PAGES["index.html"])
FIRST, SECOND, *_ = chunks_of(LARGE)
ORDERS: dict[str, list[PublishMessage]] = {
    "nothing": [],
    "no header": [M],
    "a chunk first": [ONE],
    "two headers": [H, H],
    "a header after the manifest": [H, M, H],
    "a manifest after chunks": [H, M, ONE, M],
    "an unannounced content": [H, M, *chunks_of(b"never announced")],
    "a content twice": [H, M, ONE, ONE],
    "a content without its end": [H, M, FIRST],
    "a content inside of another": [H, M, FIRST, ONE],
    "a gap": [H, M, FIRST, replace(SECOND, offset=SECOND.offset + 1)],
    "a chunk twice": [H, M, FIRST, FIRST],
    "no first chunk": [H, M, SECOND],
    "a chunk without bytes": [H, M, FIRST, replace(SECOND, data=b"")],
}


@pytest.mark.parametrize("order", ORDERS)
async def test_messages_out_of_order_are_refused(order: str) -> None:
    service = Acceptance()
    with pytest.raises(StreamOrderInvalid):
        await service.send(ORDERS[order])
    assert not await service.is_visible()


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_more_bytes_than_announced_are_refused_at_once(content: bytes) -> None:
    service = Acceptance()
    *chunks, last = chunks_of(content)
    files = {"index.html": content}
    sent = 0

    async def endless() -> AsyncIterator[PublishMessage]:
        nonlocal sent
        yield header()
        yield parts_of(files)
        for chunk in chunks:
            yield chunk
        while True:
            sent += 1
            yield replace(last, data=last.data + b"!")

    with pytest.raises(SentBytesMismatch):
        await service.acceptor.accept(endless())
    assert sent == 1
    assert not await service.is_visible()


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_bytes_of_another_digest_are_refused_and_not_kept(content: bytes) -> None:
    service = Acceptance()
    *chunks, last = chunks_of(content)
    wrong = replace(last, data=last.data[:-1] + b"!")
    with pytest.raises(SentBytesMismatch):
        await service.send([header(), parts_of({"index.html": content}), *chunks, wrong])
    assert Digest.of(content).sha256 not in service.blobs._contents
    assert await service.leases.held(SITE, [Digest.of(content)], now=service.clock.now()) == frozenset()
