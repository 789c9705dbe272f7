"""Which blobs may lack compressed variants, in the order in which they are looked at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import is_compressible
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.media_type import media_type

# A name and a digest are about 300 bytes, most of them shared with a manifest in memory: at most 60 MB.
_MOST_FILES = 200_000
_MOST_WANTED = 1_000
# One step: some seconds of compressing before a newer site gets its turn, a millisecond to choose among the names.
_STEP_BLOBS = 64
_STEP_NAMES = 1_000


@dataclass
class SiteWork:
    """What is left to look at of one site, and what has been made of it so far."""

    entity: EntityRef
    file_count: int
    names: Iterator[tuple[str, Digest]]
    made: int = 0
    saved_bytes: int = 0
    is_done: bool = False
    seen: set[str] = field(default_factory=set)

    def step(self) -> Sequence[Digest]:
        """Return the next blobs whose kind is worth compressing, each once; none of them may be left."""
        found: list[Digest] = []
        examined = 0
        for path, digest in islice(self.names, _STEP_NAMES):
            examined += 1
            if digest.sha256 in self.seen or not is_compressible(media_type(path), digest.size_bytes):
                continue
            self.seen.add(digest.sha256)
            found.append(digest)
            if len(found) == _STEP_BLOBS:
                return found
        self.is_done = examined < _STEP_NAMES
        return found


class VariantQueue:
    """Blobs that readers asked for come first, then the newest site, and of that what is new in it.

    Bounded: the oldest sites are dropped when all together have too many files. The
    newest one is kept whatever its size.
    """

    def __init__(self) -> None:
        self._sites: OrderedDict[EntityRef, SiteWork] = OrderedDict()
        self._wanted: OrderedDict[str, Digest] = OrderedDict()
        self._file_count = 0
        self._filled = asyncio.Event()

    async def filled(self) -> None:
        """Return when there is something in it."""
        await self._filled.wait()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._sites and not self._wanted

    def add(self, entity: EntityRef, files: Mapping[str, Digest], *, before: Mapping[str, Digest]) -> None:
        """Put the files of a site first, in place of what was left of it. Files that ``before`` has too come last.

        The mappings must not change from here on.
        """
        if (left := self._sites.get(entity)) is not None:
            self.drop(left)
        self._sites[entity] = SiteWork(entity, len(files), _new_ones_first(files, before))
        self._file_count += len(files)
        while self._file_count > _MOST_FILES and len(self._sites) > 1:
            self.drop(next(iter(self._sites.values())))
        self._note_whether_filled()

    def want(self, digest: Digest) -> None:
        """Put one blob first. Where too many are wanted this one is not."""
        if len(self._wanted) < _MOST_WANTED:
            self._wanted[digest.sha256] = digest
            self._note_whether_filled()

    def take(self) -> tuple[SiteWork | None, Sequence[Digest]]:
        """Return the next blobs to look at, which may be none, and the site they are of."""
        if self._wanted:
            wanted = list(self._wanted.values())
            self._wanted.clear()
            self._note_whether_filled()
            return None, wanted
        site = next(reversed(self._sites.values()), None)
        if site is None:
            return None, ()
        found = site.step()
        if site.is_done:
            self.drop(site)
        return site, found

    def drop(self, site: SiteWork) -> None:
        """Forget what is left of a site, unless it has been put in anew since."""
        site.is_done = True
        if self._sites.get(site.entity) is site:
            del self._sites[site.entity]
            self._file_count -= site.file_count
            self._note_whether_filled()

    def _note_whether_filled(self) -> None:
        if self.is_empty:
            self._filled.clear()
        else:
            self._filled.set()


def _new_ones_first(files: Mapping[str, Digest], before: Mapping[str, Digest]) -> Iterator[tuple[str, Digest]]:
    # Two passes, each only as far as somebody asks: a site may have 50,000 files.
    yield from ((path, digest) for path, digest in files.items() if before.get(path) != digest)
    yield from ((path, digest) for path, digest in files.items() if before.get(path) == digest)
