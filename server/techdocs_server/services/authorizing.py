"""The policy ``catalog``: a caller sees what the catalog shows to it.

The policy ``open``, under which everybody who is known sees every site as in Backstage by default, needs no code.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from techdocs_server.domain.access_errors import AccessDenied
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildNotFound, EntityNotFound
from techdocs_server.domain.principal import Principal
from techdocs_server.ports.catalog import Catalog
from techdocs_server.ports.records import BuildRecords

KEPT_SECONDS = 5.0
"""How long it is believed that the catalog shows nothing: techdocs-backend keeps its answers for as long (CachedEntityLoader)."""
MOST_KEPT = 10_000
"""Refusals kept; each is some hundred bytes."""

_Key = tuple[EntityRef, tuple[str, str, str]]


class CatalogPolicy:
    """Asks the catalog, once for all who ask the same at the same time.

    That an entity is shown is not kept here: a catalog that is far away keeps it itself, from when it was asked, and
    a second memory would add its own time to that in which a right that was taken away still opens a site. Refusals
    are kept, since such a catalog keeps none. Failures of the catalog are not.
    """

    def __init__(
        self,
        catalog: Catalog,
        builds: BuildRecords,
        *,
        seconds: Callable[[], float] = time.monotonic,
        most_kept: int = MOST_KEPT,
    ) -> None:
        self._catalog = catalog
        self._builds = builds
        self._seconds = seconds
        self._most_kept = most_kept
        # Until when a refusal is believed, in seconds of the clock.
        self._hidden: OrderedDict[_Key, float] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[bool]] = {}

    async def check_entity(self, entity: EntityRef, principal: Principal) -> None:
        """Return when the catalog shows an entity to the caller.

        Raises `EntityNotFound` both for what is hidden and for what is not there, and `CatalogUnavailable`.
        """
        if not await self._is_shown(entity, principal):
            raise EntityNotFound(str(entity))

    async def check_build(self, build_id: str, principal: Principal) -> None:
        """Return when the entity of a build is shown to the caller.

        Raises `BuildNotFound` both for what is hidden and for what is not there, and `CatalogUnavailable`.
        """
        build = await self._builds.build(build_id)
        if build is None or not await self._is_shown(build.entity, principal):
            raise BuildNotFound(f"builds/{build_id}")

    def check_everything(self, principal: Principal) -> None:
        """Raise `AccessDenied`: what is about every site is for those who have the permission to read by name."""
        raise AccessDenied(
            f"{principal.subject} sees what the catalog shows to it; name an entity, or have the permission to read "
            "granted by name"
        )

    async def _is_shown(self, entity: EntityRef, principal: Principal) -> bool:
        key = (entity, principal.cache_key)
        if self._hidden.get(key, float("-inf")) > self._seconds():
            return False
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, principal))
            # When all who waited have left, nobody asks it how it ended.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shielded: whoever leaves must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, key: _Key, principal: Principal) -> bool:
        asked = self._seconds()
        try:
            is_shown = await self._look(key[0], principal)
        finally:
            del self._asking[key]
        self._hidden.pop(key, None)
        if not is_shown:
            self._hidden[key] = asked + KEPT_SECONDS
        while len(self._hidden) > self._most_kept:
            self._hidden.popitem(last=False)
        return is_shown

    async def _look(self, entity: EntityRef, principal: Principal) -> bool:
        try:
            await self._catalog.entity(entity, viewer=principal)
        except EntityNotFound:
            return False
        return True
