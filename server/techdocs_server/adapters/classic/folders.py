"""Finding the folder of an entity in a bucket that keeps the letter case of names. Blocking."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from techdocs_server.adapters.classic.layout import by_case
from techdocs_server.domain.entity import EntityRef

_FRESH_SECONDS = 30.0
# A name is about 100 bytes in memory: 20 MB.
_MOST_NAMES = 200_000


class CasedFolders:
    """Looks folders up by name, whatever their letter case, and remembers listings for half a minute.

    Where folders differ by case only, the one in lower case comes first, then the order of code points.
    """

    def __init__(self, subfolders: Callable[[str], Sequence[str]]) -> None:
        self._subfolders = subfolders
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Sequence[str]]] = OrderedDict()
        self._count = 0

    def find(self, entity: EntityRef) -> str | None:
        """Return the folder of an entity, ending in a slash, or None. Raises what listing does."""
        return next(self._below("", [entity.namespace, entity.kind, entity.name]), None)

    def _below(self, folder: str, names: Sequence[str]) -> Iterator[str]:
        if not names:
            yield folder
            return
        matching = [name for name in self._listed(folder) if name.lower() == names[0]]
        for name in sorted(matching, key=by_case):
            yield from self._below(f"{folder}{name}/", names[1:])

    def _listed(self, folder: str) -> Sequence[str]:
        with self._lock:
            seen, names = self._known.get(folder, (0.0, ()))
        if seen and time.monotonic() - seen < _FRESH_SECONDS:
            return names
        names = self._subfolders(folder)
        self._remember(folder, names)
        return names

    def _remember(self, folder: str, names: Sequence[str]) -> None:
        with self._lock:
            self._count -= len(self._known.pop(folder, (0.0, ()))[1])
            self._known[folder] = (time.monotonic(), names)
            self._count += len(names)
            # Folders without names count too, or there could be any number of them.
            while self._count + len(self._known) > _MOST_NAMES and len(self._known) > 1:
                self._count -= len(self._known.popitem(last=False)[1][1])
