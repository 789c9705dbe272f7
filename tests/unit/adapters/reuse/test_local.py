"""What is true of states on the disk only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.removal import FolderRemoval
from techdocs_server.adapters.reuse.local import LocalReuseStates
from techdocs_server.domain.entity import EntityRef

from tests.support.sites import files_below, write_files


@pytest.fixture
def removal(tmp_path: Path) -> Iterator[FolderRemoval]:
    opened = FolderRemoval(tmp_path / "removed")
    yield opened
    opened.close()


def entity(name: str) -> EntityRef:
    return EntityRef("default", "component", name)


async def keep(states: LocalReuseStates, left: Path, name: str, *, size: int = 1, revision: str = "r1") -> None:
    await states.keep(entity(name), write_files(left, {"index": "x" * size}), revision=revision)


async def test_state_outlives_its_process(tmp_path: Path, removal: FolderRemoval) -> None:
    for _ in range(2):
        states = LocalReuseStates(tmp_path / "states", max_bytes=1000, removal=removal)
        if (found := await states.find(entity("a"), revision="r1")) is not None:
            break
        await keep(states, tmp_path / "left", "a")
    assert found is not None
    assert files_below(found) == {"index": b"x"}


async def test_sites_not_used_for_longest_make_room(tmp_path: Path, removal: FolderRemoval) -> None:
    states = LocalReuseStates(tmp_path / "states", max_bytes=400, removal=removal)
    for name in "abcd":
        await keep(states, tmp_path / "left", name, size=100)
    assert await states.find(entity("a"), revision="r1") is not None, "used now, so b is the oldest"
    await keep(states, tmp_path / "left", "e", size=100)
    there = [name for name in "abcde" if await states.find(entity(name), revision="r1")]
    assert there == ["a", "c", "d", "e"]


async def test_one_site_has_at_most_a_quarter(tmp_path: Path, removal: FolderRemoval) -> None:
    states = LocalReuseStates(tmp_path / "states", max_bytes=400, removal=removal)
    await keep(states, tmp_path / "left", "a", size=100)
    await keep(states, tmp_path / "left", "b", size=101)
    assert await states.find(entity("a"), revision="r1") is not None
    assert await states.find(entity("b"), revision="r1") is None


async def test_states_of_before_are_not_used_once_it_is_turned_off(tmp_path: Path, removal: FolderRemoval) -> None:
    await keep(LocalReuseStates(tmp_path / "states", max_bytes=400, removal=removal), tmp_path / "left", "a")
    off = LocalReuseStates(tmp_path / "states", max_bytes=0, removal=removal)
    assert await off.find(entity("a"), revision="r1") is None


async def test_what_a_process_left_that_died_between_two_steps_goes_with_the_next_state(
    tmp_path: Path, removal: FolderRemoval
) -> None:
    states = LocalReuseStates(tmp_path / "states", max_bytes=400, removal=removal)
    await keep(states, tmp_path / "left", "a", revision="r1")
    [home] = (tmp_path / "states").iterdir()
    await keep(states, tmp_path / "left", "b", revision="r2")
    [other] = [folder for folder in (tmp_path / "states").iterdir() if folder != home]
    next(other.iterdir()).rename(home / next(other.iterdir()).name)
    assert await states.find(entity("a"), revision="r1") is not None
    assert await states.find(entity("a"), revision="r2") is not None
    await keep(states, tmp_path / "left", "a", revision="r3")
    assert len(list(home.iterdir())) == 1


async def test_disk_that_refuses_costs_a_line_in_the_log(
    tmp_path: Path, removal: FolderRemoval, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "states").write_text("a file where the folder should be")
    states = LocalReuseStates(tmp_path / "states", max_bytes=400, removal=removal)
    with caplog.at_level(logging.WARNING):
        assert await states.find(entity("a"), revision="r1") is None
        await keep(states, tmp_path / "left", "a")
        await states.forget(entity("a"))
    assert [record.message for record in caplog.records] == ["reuse_state_lost"]
