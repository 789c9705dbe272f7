"""Not building again what just failed."""

from __future__ import annotations

from datetime import timedelta

from techdocs_server.domain.build import Build, BuildState
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildFailureReason
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import BuildRecords

_FIRST = timedelta(seconds=10)
_LONGEST = timedelta(minutes=15)
# 10 s doubled seven times passes the longest wait, so older failures make no difference.
_LOOK_BACK = 8
# The same source will do the same thing again.
_REPEATABLE = frozenset(
    {
        BuildFailureReason.SOURCE_UNAVAILABLE,
        BuildFailureReason.SOURCE_REFUSED,
        BuildFailureReason.CONFIG_INVALID,
        BuildFailureReason.CONFIG_REFUSED,
        BuildFailureReason.MKDOCS_FAILED,
        BuildFailureReason.TIMED_OUT,
        BuildFailureReason.LIMIT_EXCEEDED,
        BuildFailureReason.OUTPUT_REFUSED,
        BuildFailureReason.ISOLATION_UNAVAILABLE,
    }
)


class BackOff:
    """Tells whether a source failed so lately that building it again would be a waste."""

    def __init__(self, records: BuildRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def recent_failure(self, entity: EntityRef, source_etag: str) -> Build | None:
        """Return the failed build that stands for another try now, or None when a build should run.

        After one failure of a source the next try waits 10 s, after every further
        one twice as long, at most 15 minutes. Another etag is another source.
        """
        latest = await self._records.builds(entity=entity, states=(), after=None, limit=_LOOK_BACK)
        failures = 0
        for build in latest:
            if not _failed_repeatably(build) or build.source_etag != source_etag:
                break
            failures += 1
        if failures == 0 or (ended := latest[0].end_time) is None:
            return None
        wait = min(_FIRST * 2 ** (failures - 1), _LONGEST)
        return latest[0] if self._clock.now() < ended + wait else None


def _failed_repeatably(build: Build) -> bool:
    return build.state is BuildState.FAILED and build.problem is not None and build.problem.cause in _REPEATABLE
