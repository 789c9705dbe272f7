"""What a cache may do with an answer: for whom it holds, and how long.

The rule is the one that the call was let in by. It is told only after the call was let in, so the scope never grants
what the caller has not; and it ends with the caller's own credentials.
"""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf import duration_pb2
from techdocs.v1 import docs_pb2

from techdocs_server.domain.principal import Principal, PrincipalKind

DEFAULT_VALID_SECONDS = 60.0
"""How long a right that was taken away may still be used through a cache, where tokens alone decide."""
CATALOG_VALID_SECONDS = 5.0
"""The same where the catalog decides.

What the catalog said may be as old itself, since it is believed for five seconds from when it was asked
(`adapters.catalog.entity_cache`): ten seconds together, and there is no other memory between the two.
"""


def answer_scope(principal: Principal, *, valid_seconds: float, is_followed: bool) -> docs_pb2.AnswerScope:
    """Return the scope of an answer to a caller that was let in.

    ``is_followed`` is whether the answer is about the current revision of a site whose changes WatchSites tells.
    """
    if principal.expire_time is not None:
        valid_seconds = min(valid_seconds, (principal.expire_time - datetime.now(UTC)).total_seconds())
    scope = docs_pb2.AnswerScope(anyone=principal.kind is PrincipalKind.ANONYMOUS, followed=is_followed)
    if valid_seconds > 0:
        milliseconds = int(valid_seconds * 1000)
        scope.valid_for.CopyFrom(duration_pb2.Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 10**6))
    return scope
