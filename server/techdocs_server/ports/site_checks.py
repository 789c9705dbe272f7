"""When sites were last found current."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from techdocs_server.domain.entity import EntityRef


@dataclass(frozen=True, slots=True)
class SiteCheck:
    """At ``check_time`` a site was what its source makes, and its pointer had this ``version``."""

    check_time: datetime
    version: int


class SiteChecks(Protocol):
    """The last check of each site, whichever process made it. Raises `StorageUnavailable` only."""

    async def last(self, entity: EntityRef) -> SiteCheck | None:
        """Return the last check of a site, None when there was none yet, or no such site is published."""
        ...

    async def remember(self, entity: EntityRef, check: SiteCheck) -> None:
        """Remember a check, unless the pointer has moved on meanwhile, or a later check is known."""
        ...
