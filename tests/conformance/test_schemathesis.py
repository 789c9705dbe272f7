"""Requests that nobody thought of, made by Schemathesis from the service's own OpenAPI document.

Every request that fits the document must be served as it says, every one that does
not must be refused as it says, and none may find a defect.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.conformance.processes import installed, run
from tests.support.published import MOUNT, Catalog, Deployment, deployed

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SECONDS = 90.0
_FEWEST_REQUESTS = 800
_DEFECTS = ("Traceback", "rpc_crashed", "request_failed", "call_failed", "build_crashed")

_CONFIG = """\
seed = 1
# Threads of the tool share a parser that does not take it.
workers = 1
continue-on-failure = true
request-timeout = 30.0
warnings = false
# It would be written into the current folder, and make one run depend on the one before.
cache.enabled = false
parameters = {{ {parameters} }}

[generation]
max-examples = 15
no-shrink = true
database = "none"

[phases.stateful]
enabled = false

# A schema cannot say all of what a path, a range, or two parameters together must be. The document lists the names of
# an enum, and ProtoJSON takes its numbers too, null for what is not set, and numbers for 64-bit integers, which are texts.
[[operations]]
include-operation-id = ["getTechDocsPage", "getStaticTechDocs", "getContent", "listBuilds", "findMissingBlobs",
  "listSiteChanges", "collectGarbage"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 404, 416]
checks.negative_data_rejection.expected-statuses = ["200", "4xx"]

# The document describes the text of the stream; the tool holds each event against it.
[[operations]]
include-operation-id = "streamTechDocsSync"
checks.response_schema_conformance.enabled = false
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("schemathesis")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    async with deployed(folder, catalog, server={"build_queue_limit": 4}) as running:
        await running.sync("demo")
        yield running


async def document(service: Deployment) -> str:
    """Return the document without credentials: nothing asks for them before authentication is there."""
    async with httpx.AsyncClient(base_url=service.rest) as client:
        read = (await client.get("/openapi.json")).json()
    for item in read["paths"].values():
        for operation in item.values():
            del operation["security"]
    return json.dumps(read)


async def real_values(service: Deployment) -> dict[str, str]:
    """Return values of path parameters with which requests reach something that is there."""
    async with httpx.AsyncClient(base_url=service.rest) as client:
        site = (await client.get("/v1/sites/default/component/demo")).json()
        (build,) = (await client.get("/v1/builds")).json()["builds"]
    return {
        "path.namespace": "default",
        "path.kind": "component",
        "path.name": "demo",
        "path.path": "index.html",
        "path.revision": site["currentRevision"],
        "path.build": build["name"].removeprefix("builds/"),
        # Each forced sync would wait for a build of its own, and tell nothing new.
        "query.force": "false",
    }


async def explore(service: Deployment, folder: Path, parameters: Mapping[str, str]) -> None:
    """Run Schemathesis. Raises `AssertionError` with its report when it found anything."""
    # Tokens are opaque: a made-up one fits the schema, and is refused. Bounds of a duration have no form in JSON Schema.
    fixed = {"query.pageToken": "", "query.maxCheckAge": "60s", **parameters}
    written = ", ".join(f'"{name}" = "{value}"' for name, value in fixed.items())
    config, schema = folder / "schemathesis.toml", folder / "openapi.json"
    config.write_text(_CONFIG.format(parameters=written))
    schema.write_text(await document(service))
    command = [installed("schemathesis"), "--no-color", "--config-file", str(config), "run", str(schema)]
    # As clients of the document do: who asks for anything gets Backstage's form of a site's metadata.
    accept = "Accept: application/json, */*;q=0.5"
    ended = await run(*command, "--url", service.rest + MOUNT, "--header", accept, seconds=_SECONDS)
    assert ended.status == 0, ended.output + ended.errors
    (generated,) = re.findall(r"(\d+) generated", ended.output)
    assert int(generated) >= _FEWEST_REQUESTS, ended.output
    logged = service.server.logged() + service.bridge.logged()
    assert not [defect for defect in _DEFECTS if defect in logged], logged


async def test_values_of_every_kind_find_no_defect(service: Deployment, tmp_path: Path) -> None:
    await explore(service, tmp_path, {})


async def test_requests_that_reach_a_site_find_no_defect(service: Deployment, tmp_path: Path) -> None:
    await explore(service, tmp_path, await real_values(service))
