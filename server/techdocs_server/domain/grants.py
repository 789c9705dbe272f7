"""Permissions that operators grant to callers by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from techdocs_server.domain.principal import Permission

_ALL = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class Grant:
    """What callers may do whose subject fits a pattern, in which ``*`` is any text, and everything else itself."""

    subject: str
    permissions: frozenset[Permission]

    def fits(self, subject: str) -> bool:
        """Whether a caller is meant. Letters count as they are written."""
        parts = (re.escape(part) for part in self.subject.split("*"))
        return re.fullmatch(".*".join(parts), subject, re.DOTALL) is not None


class Grants:
    """All grants."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._grants = tuple(grants)

    def permissions_of(self, subject: str, *more: Permission) -> frozenset[Permission]:
        """Return what a caller may do by name, and with it ``more``.

        Who may administer may do everything: deleting what one may not see would be no use.
        """
        found = frozenset(more).union(*(grant.permissions for grant in self._grants if grant.fits(subject)))
        return _ALL if Permission.ADMIN in found else found
