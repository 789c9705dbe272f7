"""Who calls, as far as it is proven, and what is granted to them by name."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime


class PrincipalKind(enum.Enum):
    """What a caller is."""

    ANONYMOUS = "anonymous"
    """Nobody proved anything; only where authentication is off, or the call is open to everybody."""
    USER = "user"
    """A person, known by an entity reference such as ``user:default/alice``."""
    SERVICE = "service"
    """A program: a plugin of Backstage, or an external one such as a CI job."""
    INTERNAL = "internal"
    """This service itself, for what no caller waits for: builds, refreshes, upkeep."""


class Permission(enum.Enum):
    """What an RPC asks of its caller. Every RPC names one."""

    PUBLIC = "public"
    """Anybody, without credentials."""
    READ = "read"
    """See documentation, what is known of it, and its builds; bounded by what the policy lets the caller see."""
    SYNC = "sync"
    """Make a site current: what opening a page in Backstage does."""
    PUBLISH = "publish"
    """Publish a site that was built elsewhere."""
    ADMIN = "admin"
    """Change or remove what is published, cancel builds, collect garbage."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    ``subject`` is the stable name for logs and the audit: ``user:default/alice``, ``plugin:search``,
    ``external:ci``, ``anonymous@127.0.0.1`` or ``system``. ``actor`` is the plugin that acts for a user, like
    ``plugin:search``, or empty. ``is_limited`` is whether the caller proved itself with a token that is good for
    reading contents only. ``permissions`` are those granted by name; reading and syncing are given by the policy.
    ``user_proof`` is the limited user token that other plugins take as proof for whom a call is made; empty for
    callers that are no users. It is a credential: never logged, never part of an answer.
    """

    kind: PrincipalKind
    subject: str
    actor: str = ""
    is_limited: bool = False
    permissions: frozenset[Permission] = frozenset()
    expire_time: datetime | None = None
    user_proof: str = field(default="", repr=False)

    @property
    def cache_key(self) -> tuple[str, str, str]:
        """What tells apart callers that may be allowed different things."""
        return (self.kind.value, self.subject, self.actor)


INTERNAL = Principal(PrincipalKind.INTERNAL, "system", permissions=frozenset(Permission))
"""The service itself."""
