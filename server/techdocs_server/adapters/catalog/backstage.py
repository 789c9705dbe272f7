"""The catalog of a Backstage backend, asked with the rights of whoever wants to know.

The API is that of @backstage/plugin-catalog-backend, createRouter: ``/entities/by-name/{kind}/{namespace}/{name}``
and ``/entities/by-query``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from techdocs_server.adapters.catalog.backstage_client import BackstageCatalogClient, CatalogAnswer, CatalogFailed
from techdocs_server.adapters.catalog.entity_cache import EntityCache, EntityKey
from techdocs_server.adapters.catalog.file_locations import FileLocations
from techdocs_server.adapters.catalog.techdocs_source import annotations_of, entity_of
from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.domain.catalog_entity import TECHDOCS_REF, CatalogEntity, SourceRef
from techdocs_server.domain.entity import DEFAULT_NAMESPACE, EntityRef
from techdocs_server.domain.errors import CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import INTERNAL, Principal
from techdocs_server.ports.authentication import PluginTokens

_log = logging.getLogger(__name__)

PLUGIN = "catalog"
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404
_PAGE = 500
# Backstage's own search reads as many at a time; a thousand pages are half a million entities.
_MOST_PAGES = 1000
_LOG_AGAIN_SECONDS = 10.0


class BackstageCatalog:
    """Looks entities up in Backstage's catalog.

    What was found is believed for `entity_cache.FRESH_SECONDS`, for the same viewer
    only; that something was not found, or that there was no answer, is not. Those
    who ask the same at the same time share one call. Every failure is logged for the
    operator, the same one not more often than every ten seconds, and told to callers
    without addresses.
    """

    def __init__(
        self,
        client: BackstageCatalogClient,
        tokens: PluginTokens,
        *,
        file_root: Path | None = None,
        source_hosts: SourceHosts | None = None,
        cache: EntityCache | None = None,
    ) -> None:
        """``file_root`` is the folder below which entities of ``file:`` locations may be built; none by default."""
        self._client = client
        self._tokens = tokens
        self._files = FileLocations(file_root)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        self._hosts = source_hosts or SourceHosts()
        self._cache = cache or EntityCache()
        self._asking: dict[EntityKey, asyncio.Task[CatalogEntity]] = {}
        self._logged: dict[str, float] = {}

    async def close(self) -> None:
        """End what is being asked, and close the connections."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._client.close()
        self._pool.shutdown()

    async def entity(self, ref: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """See `Catalog.entity`."""
        key = (ref, viewer.cache_key)
        if (known := self._cache.get(key)) is not None:
            return known
        asking = self._asking.get(key)
        if asking is None:
            # One for all who wait, and whoever leaves does not end it: it ends by itself, at its deadline.
            asking = self._asking[key] = asyncio.create_task(self._ask(key, viewer))
            asking.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(asking)

    async def refs(self) -> Sequence[EntityRef]:
        """See `Catalog.refs`."""
        parameters = {
            "filter": f"metadata.annotations.{TECHDOCS_REF}",
            "fields": "kind,metadata.namespace,metadata.name",
            "limit": str(_PAGE),
        }
        refs: list[EntityRef] = []
        cursors: set[str] = set()
        while True:
            answer = await self._get("/entities/by-query", INTERNAL, parameters)
            try:
                found, cursor = _page(answer.value)
            except ValueError as error:
                raise self._unavailable(CatalogFailed("its answer is not a list of entities", str(error))) from error
            refs += found
            if not cursor:
                return refs
            if cursor in cursors or len(cursors) >= _MOST_PAGES:
                raise self._unavailable(CatalogFailed("its list of entities does not end"))
            cursors.add(cursor)
            parameters = {"cursor": cursor, "fields": parameters["fields"], "limit": str(_PAGE)}

    async def _ask(self, key: EntityKey, viewer: Principal) -> CatalogEntity:
        ref = key[0]
        asked = time.monotonic()
        answer = await self._get(f"/entities/by-name/{ref.kind}/{ref.namespace}/{ref.name}", viewer)
        # Hidden is told like absent: who may not see an entity must not learn that there is one.
        if answer.status in (_NOT_FOUND, _FORBIDDEN):
            raise EntityNotFound(str(ref))
        document = answer.value
        if not isinstance(document, Mapping) or _ref(document) != ref:
            # Whatever it is, the viewer's right to see it is not the right to see what was asked for.
            raise self._unavailable(CatalogFailed("its answer is not the entity that was asked for", str(ref)))
        entity = await self._resolved(ref, document)
        self._cache.keep(key, entity, size_bytes=answer.size_bytes, asked=asked)
        return entity

    async def _resolved(self, ref: EntityRef, document: Mapping[str, object]) -> CatalogEntity:
        def local(target: str, site_name: str) -> SourceRef:
            return self._files.source(ref, annotations_of(document), target, site_name)

        resolve = partial(entity_of, ref, document, local=local, hosts=self._hosts)
        if not self._files.looks_at_the_disk:
            return resolve()
        return await asyncio.get_running_loop().run_in_executor(self._pool, resolve)

    async def _get(self, path: str, viewer: Principal, parameters: Mapping[str, str] | None = None) -> CatalogAnswer:
        """Return an answer of status 200, 403 or 404; the last two only for one entity."""
        token = await self._tokens.token_for(PLUGIN, viewer)
        try:
            answer = await self._client.get(path, token, parameters)
        except CatalogFailed as error:
            raise self._unavailable(error) from error
        if answer.status == _UNAUTHORIZED:
            raise self._unavailable(
                CatalogFailed("it refuses this server's credentials", "status 401: does it find our keys?")
            )
        if answer.status != _OK and (parameters is not None or answer.status not in (_NOT_FOUND, _FORBIDDEN)):
            raise self._unavailable(CatalogFailed("it failed", f"status {answer.status}"))
        return answer

    def _unavailable(self, failure: CatalogFailed) -> CatalogUnavailable:
        now = time.monotonic()
        if now - self._logged.get(failure.problem, -_LOG_AGAIN_SECONDS) >= _LOG_AGAIN_SECONDS:
            self._logged[failure.problem] = now
            _log.warning("catalog_failed", extra={"problem": failure.problem, "detail": failure.detail})
        return CatalogUnavailable(f"Backstage's catalog: {failure.problem}")

    def _end(self, key: EntityKey, asking: asyncio.Task[CatalogEntity]) -> None:
        del self._asking[key]
        if not asking.cancelled():
            asking.exception()  # whoever waited was told; nobody may have


def _page(value: object) -> tuple[list[EntityRef], str]:
    """Return the references of a page of entities, and the cursor of the next page, empty for none. Raises `ValueError`."""
    if not isinstance(value, Mapping) or not isinstance(items := value.get("items"), list):
        raise ValueError("no items")
    following = value.get("pageInfo", {})
    cursor = following.get("nextCursor", "") if isinstance(following, Mapping) else None
    if not isinstance(cursor, str):
        raise ValueError("no cursor")
    # What has no reference of ours cannot be asked for either, so it is nothing to refresh.
    return [ref for item in items if (ref := _ref(item)) is not None], cursor


def _ref(document: object) -> EntityRef | None:
    """Return the reference of an entity's document, None for what is no entity."""
    if not isinstance(document, Mapping) or not isinstance(metadata := document.get("metadata"), Mapping):
        return None
    namespace, kind, name = metadata.get("namespace", DEFAULT_NAMESPACE), document.get("kind"), metadata.get("name")
    if not (isinstance(namespace, str) and isinstance(kind, str) and isinstance(name, str)):
        return None
    try:
        return EntityRef.of(namespace=namespace, kind=kind, name=name)
    except ValueError:
        return None
