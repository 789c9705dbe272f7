"""Bytes over gRPC that are no message of the method: the caller's mistake, told like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from techdocs.v1 import docs_pb2, entity_pb2

from tests.support.published import Catalog
from tests.support.services import RunningService, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

_VALID = docs_pb2.ReadContentRequest(entity=entity_pb2.EntityRef(kind="component", name="demo")).SerializeToString()
BROKEN = {
    "no protobuf": b"\xff\xff\xff\xff",
    "cut short": _VALID[:-1],
    "a string that is not UTF-8": _VALID.replace(b"demo", b"dem\xff"),
    "JSON": b'{"entity":{"kind":"component","name":"demo"}}',
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningService]:
    folder = tmp_path_factory.mktemp("messages")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    async with running("server", folder, catalog=catalog.folder) as service:
        yield service


async def failure_of(server: RunningService, method: str, message: bytes) -> grpc.aio.AioRpcError:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        method_of_bytes: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
            f"/techdocs.v1.{method}"
        )
        calling = method_of_bytes(message)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calling.read()
        return caught.value


@pytest.mark.parametrize("message", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("method", ["DocsService/ReadContent", "DocsService/GetContent", "BuildService/SyncSite"])
async def test_unreadable_message_is_an_invalid_argument(server: RunningService, method: str, message: bytes) -> None:
    error = await failure_of(server, method, message)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    # An exception's name is nobody's business, and helps nobody.
    assert "class" not in (error.details() or "")
    assert "Error" not in (error.details() or "")
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # an AioRpcError has what a finished call has
    assert status is not None, "every status has a reason"
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("FIELD_INVALID", "techdocs")


async def test_method_that_is_none_is_unimplemented(server: RunningService) -> None:
    error = await failure_of(server, "DocsService/NoSuchMethod", b"")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
