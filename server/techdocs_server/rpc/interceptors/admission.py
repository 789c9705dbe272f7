"""Shedding load before it is work."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from techdocs_server.domain.errors import ServerDraining, ServerOverloaded
from techdocs_server.rpc.interceptors.wrapping import Call, CallInterceptor

# Calls that wait for a build. They cost a task each and no work, and must not keep readers out.
WAITING_METHODS = frozenset({"SyncSite", "StreamSync", "WatchBuild", "WatchSites", "CollectGarbage"})
# Calls that send a site. Each holds up to some 10 MB and one of the store's writers now and then.
UPLOADING_METHODS = frozenset({"PublishSite"})
# Waiting calls may be this many times as many as working ones, and uploading ones this part of them.
_WAITING_FACTOR = 16
_UPLOADING_PART = 8


class _Kind(enum.Enum):
    """What a call costs while it runs."""

    WORKING = enum.auto()
    WAITING = enum.auto()
    UPLOADING = enum.auto()


def _kind(method: str) -> _Kind:
    if method in WAITING_METHODS:
        return _Kind.WAITING
    return _Kind.UPLOADING if method in UPLOADING_METHODS else _Kind.WORKING


class AdmissionInterceptor(CallInterceptor):
    """Refuses calls over the limit with SERVER_OVERLOADED, and all of them once draining.

    gRPC's own limit of concurrent calls is not used: it would refuse health checks
    too, and without saying when to come back.
    """

    def __init__(self, *, max_concurrent_calls: int) -> None:
        self._limits = {
            _Kind.WORKING: max_concurrent_calls,
            _Kind.WAITING: max_concurrent_calls * _WAITING_FACTOR,
            _Kind.UPLOADING: -(-max_concurrent_calls // _UPLOADING_PART),
        }
        self._active = dict.fromkeys(_Kind, 0)
        self._draining = False

    def drain(self) -> None:
        """Refuse new calls from now on."""
        self._draining = True

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `CallInterceptor`."""
        kind = _kind(call.method.rpartition("/")[2])
        if self._draining:
            raise ServerDraining
        if self._active[kind] >= self._limits[kind]:
            raise ServerOverloaded
        self._active[kind] += 1
        try:
            yield
        finally:
            self._active[kind] -= 1
