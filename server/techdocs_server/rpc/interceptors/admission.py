"""Shedding load before it is work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from techdocs_server.domain.errors import ServerDraining, ServerOverloaded
from techdocs_server.rpc.interceptors.wrapping import Call, CallInterceptor

# Calls that wait for a build. They cost a task each and no work, and must not keep readers out.
WAITING_METHODS = frozenset({"SyncSite", "StreamSync", "WatchBuild", "CollectGarbage"})
# Waiting calls may be this many times as many as working ones.
_WAITING_FACTOR = 16


class AdmissionInterceptor(CallInterceptor):
    """Refuses calls over the limit with SERVER_OVERLOADED, and all of them once draining.

    gRPC's own limit of concurrent calls is not used: it would refuse health checks
    too, and without saying when to come back.
    """

    def __init__(self, *, max_concurrent_calls: int) -> None:
        self._limits = {False: max_concurrent_calls, True: max_concurrent_calls * _WAITING_FACTOR}
        self._active = {False: 0, True: 0}
        self._draining = False

    def drain(self) -> None:
        """Refuse new calls from now on."""
        self._draining = True

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `CallInterceptor`."""
        waits = call.method.rpartition("/")[2] in WAITING_METHODS
        if self._draining:
            raise ServerDraining
        if self._active[waits] >= self._limits[waits]:
            raise ServerOverloaded
        self._active[waits] += 1
        try:
            yield
        finally:
            self._active[waits] -= 1
