from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from techdocs_server.domain.build import ACTIVE_STATES, FINAL_STATES, Build, BuildState
from techdocs_server.domain.entity import EntityRef

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD_WAY = [
    BuildState.QUEUED,
    BuildState.PREPARING,
    BuildState.GENERATING,
    BuildState.PUBLISHING,
    BuildState.SUCCEEDED,
]


def test_nothing_follows_a_final_state() -> None:
    assert not any(final.may_become(state) for final, state in product(FINAL_STATES, BuildState))


def test_every_active_state_may_end_badly() -> None:
    assert all(state.may_become(BuildState.FAILED) for state in ACTIVE_STATES)
    assert all(state.may_become(BuildState.CANCELLED) for state in ACTIVE_STATES)


def test_a_build_knows_when_it_began_and_ended() -> None:
    build = Build.queued(EntityRef("default", "component", "a"), now=NOW, force=False, request_id=None)
    assert build.start_time is None
    for minute, state in enumerate(GOOD_WAY[1:], start=1):
        build = build.moved(state, now=NOW + timedelta(minutes=minute))
    assert (build.start_time, build.end_time) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=4))


def test_a_build_that_never_ran_never_began() -> None:
    build = Build.queued(EntityRef("default", "component", "a"), now=NOW, force=False, request_id=None)
    assert build.moved(BuildState.CANCELLED, now=NOW).start_time is None


def test_a_move_that_is_not_in_the_table_is_refused() -> None:
    build = Build.queued(EntityRef("default", "component", "a"), now=NOW, force=False, request_id=None)
    with pytest.raises(ValueError, match="queued to publishing"):
        build.moved(BuildState.PUBLISHING, now=NOW)
