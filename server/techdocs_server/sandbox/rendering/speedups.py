"""Work that extensions do for each page and need to do once."""

from __future__ import annotations

import copy
from typing import Any


class _SharedCopies:
    """Takes the place of the module ``copy`` in pymdownx.emoji, which copies its index of 4,000 emoji for each page.

    Nothing writes to an index once it is made: the functions that techdocs-core and Material use only look into it.
    """

    def __init__(self) -> None:
        self._copies: dict[int, tuple[object, object]] = {}

    def deepcopy(self, value: object) -> object:
        """Return the one copy of a value."""
        if id(value) not in self._copies:
            # The value is kept, so that its id stays its own.
            self._copies[id(value)] = (value, copy.deepcopy(value))
        return self._copies[id(value)][1]


def share_emoji() -> None:
    """Make every page use one index of emoji."""
    import pymdownx.emoji  # type: ignore[import-untyped]  # ships no types

    module: Any = pymdownx.emoji
    if not isinstance(module.copy, _SharedCopies):
        module.copy = _SharedCopies()
