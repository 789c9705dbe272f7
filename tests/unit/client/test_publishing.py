"""The sending side, against a real synchronous server that fails as it is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import entity_pb2, publish_pb2, publish_pb2_grpc
from techdocs_server.client.channel import ClientOptions, open_channel
from techdocs_server.client.failures import ClientFailed, failure_of
from techdocs_server.client.publishing import publish_folder
from techdocs_server.client.retrying import Patience
from techdocs_server.client.site_folder import read_site

from tests.support.publishing import write_site
from tests.unit.client.serving import abort

PAGES = {"index.html": b"front", "a/index.html": b"a", "copy.html": b"a", "large": b"x" * 600_000, "empty": b""}
HEADER = publish_pb2.PublishHeader(entity=entity_pb2.EntityRef(kind="component", name="docs"), request_id="id")
Failure = Callable[[grpc.ServicerContext], object]


@dataclass
class Server(publish_pb2_grpc.PublishServiceServicer):
    """Keeps whole contents. ``failures`` end the next streams after ``after`` whole contents each."""

    failures: list[Failure] = field(default_factory=list)
    after: int = 1
    stored: dict[str, bytes] = field(default_factory=dict)
    streams: list[list[publish_pb2.PublishSiteRequest]] = field(default_factory=list)
    questions: int = 0

    def FindMissingBlobs(  # noqa: N802 - the RPC's name
        self, request: publish_pb2.FindMissingBlobsRequest, context: grpc.ServicerContext
    ) -> publish_pb2.FindMissingBlobsResponse:
        self.questions += 1
        missing = [digest for digest in request.digests if digest.sha256 not in self.stored]
        return publish_pb2.FindMissingBlobsResponse(missing_digests=missing)

    def PublishSite(  # noqa: N802 - the RPC's name
        self, requests: Iterator[publish_pb2.PublishSiteRequest], context: grpc.ServicerContext
    ) -> publish_pb2.PublishSiteResponse:
        failure = self.failures.pop(0) if self.failures else None
        received: list[publish_pb2.PublishSiteRequest] = []
        self.streams.append(received)
        partial, whole = bytearray(), 0
        for request in requests:
            received.append(request)
            if not request.HasField("chunk"):
                continue
            partial = partial if request.chunk.offset else bytearray()
            partial += request.chunk.data
            if hashlib.sha256(partial).hexdigest() == request.chunk.sha256:
                self.stored[request.chunk.sha256] = bytes(partial)
                whole += 1
            if failure is not None and whole == self.after:
                failure(context)
        if failure is not None:
            failure(context)
        return publish_pb2.PublishSiteResponse(updated=True)

    def sent(self, stream: int) -> int:
        """Return how many contents a stream had."""
        return len({request.chunk.sha256 for request in self.streams[stream] if request.HasField("chunk")})


@dataclass
class Shown:
    """A progress that a test can look at."""

    begun: list[tuple[int, int]] = field(default_factory=list)
    bytes_sent: int = 0

    def begins(self, *, contents: int, size_bytes: int) -> None:
        self.begun.append((contents, size_bytes))

    def sent(self, size_bytes: int) -> None:
        self.bytes_sent += size_bytes


@contextmanager
def serving(server: Server) -> Iterator[grpc.Channel]:
    with ThreadPoolExecutor(2) as pool:
        listening = grpc.server(pool)
        publish_pb2_grpc.add_PublishServiceServicer_to_server(server, listening)
        port = listening.add_insecure_port("127.0.0.1:0")
        listening.start()
        try:
            with open_channel(ClientOptions(f"127.0.0.1:{port}")) as channel:
                yield channel
        finally:
            listening.stop(None).wait()


def publish(server: Server, folder: Path, shown: Shown | None = None) -> publish_pb2.PublishSiteResponse:
    patience = Patience(60, sleep=lambda _: None)
    with serving(server) as channel:
        return publish_folder(channel, read_site(folder), HEADER, patience=patience, progress=shown or Shown())


def unavailable(context: grpc.ServicerContext) -> object:
    return abort(context, grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", "going down")


def blobs_missing(context: grpc.ServicerContext) -> object:
    return abort(context, grpc.StatusCode.FAILED_PRECONDITION, "BLOBS_MISSING", "1 content is missing")


def conflict(context: grpc.ServicerContext) -> object:
    return abort(context, grpc.StatusCode.ABORTED, "REVISION_CONFLICT", "another came first")


def test_a_stream_is_header_manifest_and_each_missing_content_once(tmp_path: Path) -> None:
    server, shown = Server(), Shown()
    assert publish(server, write_site(tmp_path, PAGES), shown).updated
    [stream] = server.streams
    assert [request.WhichOneof("payload") for request in stream] == ["header", "manifest", *["chunk"] * 6]
    assert stream[0].header == HEADER
    assert {file.path for file in stream[1].manifest.files} == set(PAGES)
    assert {hashlib.sha256(content).hexdigest() for content in PAGES.values()} == set(server.stored)
    assert (shown.begun, shown.bytes_sent) == ([(4, 600_006)], 600_006)


def test_what_the_server_has_is_not_sent(tmp_path: Path) -> None:
    server = Server()
    publish(server, write_site(tmp_path, PAGES))
    publish(server, write_site(tmp_path, {"new.html": b"new"}))
    assert (server.sent(0), server.sent(1)) == (4, 1)


def test_a_broken_stream_goes_on_with_what_is_left_under_the_same_request_id(tmp_path: Path) -> None:
    server, shown = Server(failures=[unavailable, unavailable]), Shown()
    assert publish(server, write_site(tmp_path, PAGES), shown).updated
    assert [begun[0] for begun in shown.begun] == [4, 3, 2]
    assert {stream[0].header.request_id for stream in server.streams} == {"id"}


def test_as_long_as_contents_get_through_a_publish_goes_on(tmp_path: Path) -> None:
    pages = {f"{number}.html": b"%d" % number for number in range(20)} | {"index.html": b"front"}
    server = Server(failures=[unavailable] * 15)
    assert publish(server, write_site(tmp_path, pages)).updated
    assert len(server.streams) == 16


def test_a_publish_that_gets_no_further_is_given_up(tmp_path: Path) -> None:
    server = Server(failures=[unavailable] * 99, after=0)
    with pytest.raises(grpc.RpcError) as failed:
        publish(server, write_site(tmp_path, {"index.html": b"front"}))
    assert failure_of(failed.value).reason == "SERVER_DRAINING"
    assert len(server.streams) < 10


def test_contents_that_went_away_are_asked_for_again_but_not_for_ever(tmp_path: Path) -> None:
    server = Server(failures=[blobs_missing])
    assert publish(server, write_site(tmp_path, PAGES)).updated
    server = Server(failures=[blobs_missing] * 9)
    with pytest.raises(grpc.RpcError):
        publish(server, tmp_path)
    assert len(server.streams) == 3


def test_a_refusal_ends_it(tmp_path: Path) -> None:
    server = Server(failures=[conflict])
    with pytest.raises(grpc.RpcError) as failed:
        publish(server, write_site(tmp_path, PAGES))
    assert failure_of(failed.value).reason == "REVISION_CONFLICT"
    assert len(server.streams) == 1


def test_many_files_are_asked_and_announced_in_parts(tmp_path: Path) -> None:
    pages = {f"{number % 100}/{number}.html": b"%d" % number for number in range(10_001)} | {"index.html": b"front"}
    stored = {hashlib.sha256(content).hexdigest(): content for content in pages.values()}
    server = Server(stored=stored)
    publish(server, write_site(tmp_path, pages))
    parts = [request.manifest for request in server.streams[0] if request.HasField("manifest")]
    assert server.questions == 2
    assert sum(len(part.files) for part in parts) == 10_002
    assert max(part.ByteSize() for part in parts) < 4 * 1024 * 1024
    assert max(len(part.files) for part in parts) <= 10_000


def test_a_file_that_is_gone_when_its_turn_comes_is_named(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, PAGES))
    (tmp_path / "index.html").unlink()
    lacking = Server(failures=[blobs_missing], after=99)
    with serving(lacking) as channel, pytest.raises(ClientFailed, match=r"index\.html"):
        publish_folder(channel, site, HEADER, patience=Patience(60), progress=Shown())


def test_a_file_that_has_other_bytes_is_named(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, PAGES))
    sha256 = hashlib.sha256(b"front").hexdigest()

    def mismatch(context: grpc.ServicerContext) -> object:
        return abort(
            context, grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH", "other bytes", metadata={"sha256": sha256}
        )

    with serving(Server(failures=[mismatch])) as channel, pytest.raises(ClientFailed, match=r"index\.html changed"):
        publish_folder(channel, site, HEADER, patience=Patience(60), progress=Shown())
