"""A real Envoy whose grpc_json_transcoder serves the contract's annotations in front of a gRPC server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2

from tests.conformance.processes import installed
from tests.support.services import environment
from tests.support.waiting import eventually

_DESCRIPTORS = Path(__file__).parents[2] / "gen/techdocs/descriptors.binpb"
_HTTP_BODY = ".google.api.HttpBody"
_TYPES = "type.googleapis.com/envoy.extensions"
_SERVICES = ("DocsService", "BuildService", "PublishService", "SiteService", "CapabilitiesService")
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


@asynccontextmanager
async def running_envoy(folder: Path, server: str) -> AsyncIterator[tuple[str, int]]:
    """Run Envoy in front of a server (host:port) until the context ends; give the address it listens on.

    All its files are in the folder, all its ports are free ones of the loopback
    interface, and other Envoys of the machine are none of its business.
    """
    descriptors, config, admin = folder / "descriptors.binpb", folder / "envoy.json", folder / "admin"
    descriptors.write_bytes(_readable_descriptors().SerializeToString())
    config.write_text(json.dumps(_config(descriptors, *server.rsplit(":", 1))))
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            installed("envoy"),
            *("-c", str(config), "--admin-address-path", str(admin), "--concurrency", "1"),
            *("--use-dynamic-base-id", "--disable-hot-restart"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment({}),
        )
    try:
        yield await _address(process, admin, folder / "envoy.log")
    finally:
        await _end(process)


async def _address(process: asyncio.subprocess.Process, admin: Path, log: Path) -> tuple[str, int]:
    async def ready() -> bool:
        assert process.returncode is None, log.read_text()
        if not admin.exists() or not admin.read_text():
            return False
        async with httpx.AsyncClient(base_url=f"http://{admin.read_text()}") as client:
            return (await client.get("/ready")).status_code == 200

    await eventually(ready, timeout_seconds=_START_SECONDS, what="Envoy is ready")
    async with httpx.AsyncClient(base_url=f"http://{admin.read_text()}") as client:
        (listener,) = (await client.get("/listeners", params={"format": "json"})).json()["listener_statuses"]
    address = listener["local_address"]["socket_address"]
    return address["address"], address["port_value"]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _readable_descriptors() -> descriptor_pb2.FileDescriptorSet:
    """Return the contract as this transcoder can read it.

    It starts only when every ``response_body`` names an HttpBody, so others are
    taken away, and its answers have the whole message around ours. It prints details
    of errors only when it is given their types.
    """
    read = descriptor_pb2.FileDescriptorSet.FromString(_DESCRIPTORS.read_bytes())
    error_details_pb2.DESCRIPTOR.CopyToProto(read.file.add())
    messages = {f".{file.package}.{message.name}": message for file in read.file for message in file.message_type}
    for method in (method for file in read.file for service in file.service for method in service.method):
        fields = {field.name: field.type_name for field in messages[method.output_type].field}
        for rule in _rules(method.options.Extensions[annotations_pb2.http]):
            if rule.response_body and fields[rule.response_body] != _HTTP_BODY:
                rule.response_body = ""
    return read


def _rules(rule: http_pb2.HttpRule) -> Iterator[http_pb2.HttpRule]:
    yield rule
    yield from rule.additional_bindings


def _config(descriptors: Path, host: str, port: str) -> dict[str, Any]:
    transcoder = {
        "@type": f"{_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors),
        "services": [f"techdocs.v1.{name}" for name in _SERVICES],
        "convert_grpc_status": True,
        "print_options": {"always_print_primitive_fields": True, "stream_newline_delimited": True},
        "request_validation_options": {"reject_unknown_method": True, "reject_unknown_query_parameters": True},
    }
    router = {"@type": f"{_TYPES}.filters.http.router.v3.Router"}
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "server", "timeout": "30s"}}
    connections = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "rest",
        # By default a refused client that asked to close waits a second for it.
        "delayed_close_timeout": "0.010s",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [everything]}]},
        "http_filters": [
            {"name": "transcoder", "typed_config": transcoder},
            {"name": "router", "typed_config": router},
        ],
    }
    listener = {
        "name": "rest",
        "address": _socket("127.0.0.1", 0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": connections}]}],
    }
    http2 = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": _socket(host, int(port))}}
    cluster = {
        "name": "server",
        "type": "STATIC",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {"cluster_name": "server", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {
        "admin": {"address": _socket("127.0.0.1", 0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def _socket(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
