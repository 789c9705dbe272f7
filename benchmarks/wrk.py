"""Requests per second and times of answers, by wrk. One thread; every connection asks again as soon as it is answered."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)", re.MULTILINE)
_SLOWEST = re.compile(r"^\s+99%\s+([0-9.]+)(us|ms|s|m)", re.MULTILINE)
_STATUSES = re.compile(r"^status (\d+) (\d+)$", re.MULTILINE)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}

# Every request is made once, before the clock runs; the answer's status is counted in the thread that saw it.
_SCRIPT = """
local paths = {paths}
local headers = {headers}
local requests, turn = {{}}, 0
counts = {{}}
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function init(arguments)
  for index, path in ipairs(paths) do requests[index] = wrk.format("GET", path, headers) end
end
function request() turn = turn % #requests + 1; return requests[turn] end
{counting}
"""
# Looking at each answer costs wrk as much as nginx takes for one: it is done in a short run before.
_COUNTING = """
function response(status) counts[status] = (counts[status] or 0) + 1 end
function done(summary, latency)
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("counts")) do print("status " .. status .. " " .. count) end
  end
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw."""

    per_second: float
    p99_seconds: float


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked for, in turn, and the status that each answer must have."""

    base: str
    paths: Sequence[str]
    headers: Mapping[str, str]
    status: int = 200

    async def check(self, *, connections: int) -> None:
        """Ask for three seconds and raise `RuntimeError` when an answer has another status. Warms the caches, too."""
        output = await self._run(connections=connections, seconds=3, counting=_COUNTING)
        statuses = {int(status) for status, _ in _STATUSES.findall(output)}
        if statuses != {self.status}:
            raise RuntimeError(f"{self.base}{self.paths[0]}: wanted {self.status} only:\n{output}")

    async def load(self, *, connections: int, seconds: int) -> Load:
        """Ask for some seconds. Raises `RuntimeError` when a connection broke or an answer did not come in time."""
        output = await self._run(connections=connections, seconds=seconds, counting="")
        rate, slowest = _RATE.search(output), _SLOWEST.search(output)
        if rate is None or slowest is None or "Socket errors" in output:
            raise RuntimeError(f"wrk did not succeed:\n{output}")
        return Load(float(rate[1]), float(slowest[1]) * _SECONDS[slowest[2]])

    async def _run(self, *, connections: int, seconds: int, counting: str) -> str:
        with tempfile.TemporaryDirectory(prefix="techdocs-wrk-") as folder:
            script = Path(folder, "requests.lua")
            script.write_text(
                _SCRIPT.format(paths=_table(self.paths), headers=_mapping(self.headers), counting=counting)
            )
            process = await asyncio.create_subprocess_exec(
                "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(script),
                self.base, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            return (await process.communicate())[0].decode()


def _table(values: Sequence[str]) -> str:
    return "{" + ", ".join(json.dumps(value) for value in values) + "}"


def _mapping(values: Mapping[str, str]) -> str:
    # No Host among them: wrk takes it from the address then.
    return "{" + ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in values.items()) + "}"
