from datetime import UTC, datetime

from techdocs_server.adapters.queue.waiting_line import WaitingLine
from techdocs_server.domain.build import Build, BuildTrigger
from techdocs_server.domain.entity import EntityRef

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def build(name: str, owner: str = "a", trigger: BuildTrigger = BuildTrigger.REQUEST) -> Build:
    return Build.queued(EntityRef("default", "component", name), now=NOW, owner=owner, trigger=trigger)


def order(line: WaitingLine) -> list[str]:
    names = []
    while (found := line.next()) is not None:
        names.append(found.entity.name)
    return names


def test_one_owner_is_served_first_come_first_served() -> None:
    line = WaitingLine()
    for name in "one", "two", "three":
        line.add(build(name))
    assert order(line) == ["one", "two", "three"]


def test_owners_take_turns_however_many_builds_they_have() -> None:
    line = WaitingLine()
    for number in range(3):
        line.add(build(f"many{number}", owner="many"))
    line.add(build("few", owner="few"))
    assert order(line) == ["many0", "few", "many1", "many2"]


def test_builds_somebody_asked_for_go_before_the_schedules() -> None:
    line = WaitingLine()
    line.add(build("scheduled", trigger=BuildTrigger.REFRESH))
    line.add(build("asked"))
    assert order(line) == ["asked", "scheduled"]


def test_a_removed_build_never_comes() -> None:
    line = WaitingLine()
    first, second = build("first"), build("second")
    line.add(first)
    line.add(second)
    assert line.remove(first.id) == first
    assert line.remove(first.id) is None
    assert (len(line), first.id in line, second.id in line) == (1, False, True)
    assert order(line) == ["second"]
