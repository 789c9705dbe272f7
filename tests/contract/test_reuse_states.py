"""What every ReuseStates promises, shown with each adapter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.removal import FolderRemoval
from techdocs_server.adapters.reuse.local import LocalReuseStates
from techdocs_server.adapters.reuse.memory import MemoryReuseStates
from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.reuse import ReuseStates

from tests.support.sites import files_below, write_files

DEMO = EntityRef("default", "component", "demo")
OTHER = EntityRef("default", "component", "other")
FILES = {"index": "the pages", "bodies": "their text", "entries": ""}
Open = Callable[[int], ReuseStates]


@pytest.fixture(params=["local", "memory"])
def open_states(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    removal = FolderRemoval(tmp_path / "removed")

    def opened(max_bytes: int) -> ReuseStates:
        if request.param == "local":
            return LocalReuseStates(tmp_path / "states", max_bytes=max_bytes, removal=removal)
        (tmp_path / "states").mkdir()
        return MemoryReuseStates(tmp_path / "states", max_bytes=max_bytes)

    yield opened
    removal.close()


@pytest.fixture
def states(open_states: Open) -> ReuseStates:
    return open_states(10**6)


async def kept(states: ReuseStates, folder: Path, entity: EntityRef = DEMO, *, revision: str = "r1") -> None:
    await states.keep(entity, folder, revision=revision)


async def test_folder_comes_back_with_its_files(states: ReuseStates, tmp_path: Path) -> None:
    left = write_files(tmp_path / "left", FILES)
    await kept(states, left)
    assert not left.exists(), "it was taken over"
    found = await states.find(DEMO, revision="r1")
    assert found is not None
    assert files_below(found) == {name: text.encode() for name, text in FILES.items()}


async def test_state_is_of_one_revision_of_one_entity(states: ReuseStates, tmp_path: Path) -> None:
    assert await states.find(DEMO, revision="r1") is None
    await kept(states, write_files(tmp_path / "left", FILES))
    assert await states.find(DEMO, revision="r2") is None
    assert await states.find(OTHER, revision="r1") is None


async def test_newer_state_replaces_the_older_one(states: ReuseStates, tmp_path: Path) -> None:
    await kept(states, write_files(tmp_path / "first", {"index": "1"}), revision="r1")
    await kept(states, write_files(tmp_path / "second", {"index": "2"}), revision="r2")
    assert await states.find(DEMO, revision="r1") is None
    found = await states.find(DEMO, revision="r2")
    assert found is not None
    assert files_below(found) == {"index": b"2"}


async def test_state_of_the_same_revision_is_replaced_too(states: ReuseStates, tmp_path: Path) -> None:
    await kept(states, write_files(tmp_path / "first", {"index": "1", "more": ""}))
    await kept(states, write_files(tmp_path / "second", {"index": "2"}))
    found = await states.find(DEMO, revision="r1")
    assert found is not None
    assert files_below(found) == {"index": b"2"}


async def test_who_reads_a_state_goes_on_while_it_is_replaced(states: ReuseStates, tmp_path: Path) -> None:
    await kept(states, write_files(tmp_path / "first", {"index": "1"}))
    found = await states.find(DEMO, revision="r1")
    assert found is not None
    with (found / "index").open() as file:
        await kept(states, write_files(tmp_path / "second", {"index": "2"}))
        assert file.read() == "1"


async def test_forgotten_state_is_gone_and_forgetting_twice_is_no_problem(states: ReuseStates, tmp_path: Path) -> None:
    await kept(states, write_files(tmp_path / "left", FILES))
    await kept(states, write_files(tmp_path / "other", FILES), OTHER)
    await states.forget(DEMO)
    await states.forget(DEMO)
    assert await states.find(DEMO, revision="r1") is None
    assert await states.find(OTHER, revision="r1") is not None


@pytest.mark.parametrize("revision", ["../../etc", "/etc", "", "a/b", "\0"])
async def test_revision_names_no_other_place(states: ReuseStates, tmp_path: Path, revision: str) -> None:
    assert await states.find(DEMO, revision=revision) is None
    await kept(states, write_files(tmp_path / "left", FILES), revision=revision)
    found = await states.find(DEMO, revision=revision)
    assert found is not None
    assert found.resolve().is_relative_to((tmp_path / "states").resolve())


def a_link(left: Path) -> None:
    (left / "link").symlink_to("/etc/passwd")


def a_second_name(left: Path) -> None:
    os.link(left / "index", left.parent / "elsewhere")


def a_folder(left: Path) -> None:
    (left / "folder").mkdir()


def a_pipe(left: Path) -> None:
    os.mkfifo(left / "pipe")


def many_files(left: Path) -> None:
    for number in range(20):
        (left / str(number)).touch()


def nothing(left: Path) -> None:
    (left / "index").unlink()


def a_link_in_its_place(left: Path) -> None:
    left.rename(left.with_name("moved"))
    left.symlink_to("moved")


def nothing_in_its_place(left: Path) -> None:
    left.rename(left.with_name("moved"))


@pytest.mark.parametrize(
    "change",
    [a_link, a_second_name, a_folder, a_pipe, many_files, nothing, a_link_in_its_place, nothing_in_its_place],
)
async def test_folder_of_anything_but_files_of_its_own_is_not_kept(
    states: ReuseStates, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    await kept(states, write_files(tmp_path / "good", {"index": "x"}), revision="r1")
    left = write_files(tmp_path / "left", {"index": "x"})
    change(left)
    await kept(states, left, revision="r2")
    for revision in ("r1", "r2"):
        assert await states.find(DEMO, revision=revision) is None


async def test_folder_that_is_too_large_is_not_kept(open_states: Open, tmp_path: Path) -> None:
    states = open_states(1000)
    await kept(states, write_files(tmp_path / "left", {"index": "x" * 600, "bodies": "x" * 600}))
    assert await states.find(DEMO, revision="r1") is None


async def test_without_room_nothing_is_kept_and_builds_are_told_so(open_states: Open, tmp_path: Path) -> None:
    states = open_states(0)
    assert not states.keeps_any
    await kept(states, write_files(tmp_path / "left", {"index": "x"}))
    assert await states.find(DEMO, revision="r1") is None
