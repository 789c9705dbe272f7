"""A catalog that is a folder of Backstage descriptor files, or one such file."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from techdocs_server.adapters.catalog.descriptor_reader import DescriptorReader
from techdocs_server.adapters.catalog.descriptors import CatalogProblem
from techdocs_server.adapters.catalog.discovery import CatalogFolder
from techdocs_server.adapters.catalog.snapshot import Snapshot, Survey
from techdocs_server.adapters.catalog.techdocs_source import has_annotation, to_entity
from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import Principal

_log = logging.getLogger(__name__)


class StaticFileCatalog:
    """Reads descriptors from disk, and again when they change.

    A folder is searched for ``catalog-info.yaml`` and ``catalog-info.yml``; other
    files count when an entity of kind Location names them. Nothing outside the
    folder (of the file) is read. What is wrong with a file is logged once, as
    ``catalog_problem``, and takes nothing else down.
    """

    def __init__(
        self,
        path: Path,
        *,
        excluded: Collection[Path] = frozenset(),
        rescan_seconds: float = 1.0,
        source_hosts: SourceHosts | None = None,
    ) -> None:
        """``excluded`` are folders that hold no descriptors, such as the server's own data.

        ``source_hosts`` say how URLs of hosts that are not well known are read.

        A change is seen by a look-up that begins ``rescan_seconds`` after the
        last scan; later where scans are slow, so that at most a tenth of the time
        goes into them.
        """
        self._path = path
        self._excluded = frozenset(excluded)
        self._rescan_seconds = rescan_seconds
        self._source_hosts = source_hosts or SourceHosts()
        self._reader = DescriptorReader()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        self._lock = asyncio.Lock()
        self._snapshot: Snapshot | None = None
        self._next_scan_time = 0.0
        # Built on demand and forgotten with the snapshot, because links that lead to sources may change.
        self._entities: dict[EntityRef, CatalogEntity] = {}
        self._logged: frozenset[CatalogProblem] = frozenset()

    def close(self) -> None:
        """Wait for what is running and end the thread. Not usable afterwards."""
        self._pool.shutdown()

    async def entity(self, ref: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """See `Catalog.entity`. Not found is certain: raises `CatalogUnavailable` when a part that may hold it is broken."""
        snapshot = await self._current()
        descriptor = snapshot.descriptors.get(ref)
        if descriptor is None:
            if problem := snapshot.hiding(ref):
                raise CatalogUnavailable(f"{ref} is not found, but may stand in {problem}")
            raise EntityNotFound(str(ref))
        known = self._entities.get(ref)
        if known is None:
            loop = asyncio.get_running_loop()
            known = await loop.run_in_executor(
                self._pool, partial(to_entity, descriptor, root=snapshot.root, hosts=self._source_hosts)
            )
            if snapshot is self._snapshot:
                self._entities[ref] = known
        return known

    async def refs(self) -> Sequence[EntityRef]:
        """See `Catalog.refs`. Those with an annotation; whether it leads anywhere is told when they are looked up."""
        descriptors = (await self._current()).descriptors
        return [ref for ref, descriptor in descriptors.items() if has_annotation(descriptor)]

    async def _current(self) -> Snapshot:
        async with self._lock:
            begin = time.monotonic()
            if self._snapshot is None or begin >= self._next_scan_time:
                self._snapshot = await asyncio.get_running_loop().run_in_executor(self._pool, self._scan)
                end = time.monotonic()
                self._next_scan_time = end + max(self._rescan_seconds, 9 * (end - begin) if self._rescan_seconds else 0)
                self._entities = {}
                self._report(frozenset(self._snapshot.problems))
            return self._snapshot

    def _scan(self) -> Snapshot:
        try:
            if self._path.is_dir():
                return self._survey(self._path).of_folder()
            return self._survey(self._path.parent).of_file(self._path.name)
        except FileNotFoundError as error:
            raise CatalogUnavailable(f"{self._path.name} does not exist") from error
        except OSError as error:
            raise CatalogUnavailable(f"{self._path.name}: {error.strerror}") from error

    def _survey(self, root: Path) -> Survey:
        folder = CatalogFolder(root.resolve(), excluded=[path.resolve() for path in self._excluded])
        return Survey(folder, self._reader)

    def _report(self, problems: frozenset[CatalogProblem]) -> None:
        for problem in sorted(problems - self._logged, key=str):
            _log.warning(
                "catalog_problem", extra={"file": problem.file, "line": problem.line, "problem": problem.message}
            )
        self._logged = problems
