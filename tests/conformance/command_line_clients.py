"""grpcurl and buf curl, which know nothing of the contract but what reflection tells them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.rpc import error_details_pb2

from tests.conformance.processes import Ended, installed, run


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call failed, as the tool shows it to a person."""

    code: int
    """Number of the gRPC code, from the exit status."""
    info: error_details_pb2.ErrorInfo


class Client(Protocol):
    """One tool, in one way of asking."""

    async def call(self, target: str, service: str, method: str, request: object) -> Sequence[Any]:
        """Return the messages of the answer as JSON. Raises `AssertionError` when the call fails."""
        ...

    async def failure(self, target: str, service: str, method: str, request: object) -> Failure:
        """Return how a call fails. Raises `AssertionError` when it does not."""
        ...

    async def services(self, target: str) -> Sequence[str]:
        """Return the names of all services, as reflection lists them."""
        ...


class GRPCurl:
    """grpcurl."""

    async def call(self, target: str, service: str, method: str, request: object) -> Sequence[Any]:
        return _answers(await self._run("-d", _text(request), target, f"{service}/{method}"))

    async def failure(self, target: str, service: str, method: str, request: object) -> Failure:
        ended = await self._run("-d", _text(request), target, f"{service}/{method}")
        # 64 and the code; the details are printed one by one, numbered.
        details = [json.loads(line.partition("{")[1] + line.partition("{")[2]) for line in _numbered(ended.errors)]
        (info,) = [detail for detail in details if detail["@type"].endswith("/google.rpc.ErrorInfo")]
        told = error_details_pb2.ErrorInfo(reason=info["reason"], domain=info["domain"], metadata=info.get("metadata"))
        return Failure(ended.status - 64, told)

    async def services(self, target: str) -> Sequence[str]:
        return (await self._run(target, "list")).output.split()

    async def describe(self, target: str, symbol: str) -> str:
        """Return what reflection says about a service, a method, a message or an enum."""
        ended = await self._run(target, "describe", symbol)
        assert ended.status == 0, ended.errors
        return ended.output

    async def _run(self, *arguments: str) -> Ended:
        return await run(installed("grpcurl"), "-plaintext", *arguments)


@dataclass(frozen=True, slots=True)
class BufCurl:
    """buf curl with one version of the reflection protocol."""

    reflection: str

    async def call(self, target: str, service: str, method: str, request: object) -> Sequence[Any]:
        return _answers(await self._run("-d", _text(request), f"http://{target}/{service}/{method}"))

    async def failure(self, target: str, service: str, method: str, request: object) -> Failure:
        ended = await self._run("-d", _text(request), f"http://{target}/{service}/{method}")
        told = json.loads(ended.errors)
        (value,) = [each["value"] for each in told["details"] if each["type"] == "google.rpc.ErrorInfo"]
        info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(value + "=" * (-len(value) % 4)))
        return Failure(ended.status // 8, info)

    async def services(self, target: str) -> Sequence[str]:
        return (await self._run("--list-services", f"http://{target}")).output.split()

    async def methods(self, target: str) -> Sequence[str]:
        """Return all methods as ``service/method``."""
        return (await self._run("--list-methods", f"http://{target}")).output.split()

    async def _run(self, *arguments: str) -> Ended:
        flags = ["--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", self.reflection]
        return await run(installed("buf"), "curl", *flags, *arguments)


def _answers(ended: Ended) -> Sequence[Any]:
    assert ended.status == 0, ended.errors
    return list(_documents(ended.output))


def _documents(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        yield document
        at += len(text[at:]) - len(text[at:].lstrip())


def _numbered(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.lstrip()[:1].isdigit() and "{" in line)


def _text(request: object) -> str:
    """Return a request as the tools read it: a message, or the messages of a stream one after the other."""
    return "\n".join(map(json.dumps, request)) if isinstance(request, list) else json.dumps(request)
