"""The subcommands for operators, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.json_format import Parse
from techdocs.v1 import admin_pb2, builds_pb2, sites_pb2
from techdocs_server.cli import main
from techdocs_server.client.build_log import build_events
from techdocs_server.client.channel import ClientOptions, open_channel
from techdocs_server.client.retrying import Patience
from techdocs_server.domain.build import Build, BuildEvent, BuildState, LogLine, Severity
from techdocs_server.domain.site import Revision

from tests.support.clocks import NOON
from tests.support.faulty_proxy import faulty_proxy
from tests.support.pipeline import ENTITY
from tests.support.record_values import queued
from tests.unit.rpc.real_server import Served, served

SITE = "default/component/demo"
LINES = [f"line {number}" for number in range(300)]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as opened:
        yield opened


async def run(service: Served, command: str, *arguments: str, expecting: int = 0) -> Result:
    """Run a command as people do, and check how it exits."""
    everything = [command, "--server", service.target, *arguments]
    result = await asyncio.to_thread(CliRunner().invoke, main, everything)
    assert result.exit_code == expecting, f"{result.output}\n{result.exception!r}"
    return result


async def lines(service: Served, command: str, *arguments: str) -> list[list[str]]:
    """Return the cells of a table, without its heading."""
    result = await run(service, command, *arguments)
    return [line.split() for line in result.stdout.splitlines()[1:]]


async def objects(service: Served, command: str, *arguments: str) -> list[dict[str, object]]:
    """Return the lines of JSON."""
    return [json.loads(line) for line in (await run(service, command, "--json", *arguments)).stdout.splitlines()]


async def three_published(service: Served) -> list[str]:
    return [await service.publish(index=text) for text in ("one", "two", "three")]


async def test_sites_and_revisions_are_tables_of_what_is_there(service: Served) -> None:
    assert await lines(service, "sites") == []
    first, second, third = await three_published(service)
    (site,) = await lines(service, "sites")
    assert site[:3] == [SITE, third[:12], "3"]
    assert await lines(service, "sites", "--namespace", "other") == []
    assert len(await lines(service, "sites", "--namespace", "default", "--kind", "component")) == 1
    rows = await lines(service, "revisions", SITE)
    assert [row[0] for row in rows] == [third[:12], second[:12], first[:12]]
    assert ["current" in row for row in rows] == [True, False, False]


async def test_json_is_one_message_a_line(service: Served) -> None:
    revisions = await three_published(service)
    listed = (await run(service, "revisions", "--json", SITE)).stdout.splitlines()
    assert [Parse(line, sites_pb2.Revision()).revision for line in listed] == revisions[::-1]
    (site,) = await objects(service, "sites")
    assert site["currentRevision"] == revisions[-1]
    assert site["activeBuild"] == ""
    assert Parse((await run(service, "gc", "--json", "--dry-run")).stdout, admin_pb2.Collection()).dry_run


async def test_columns_line_up_and_nothing_is_cut_or_wrapped_for_programs(service: Served) -> None:
    await three_published(service)
    output = (await run(service, "builds")).stdout.splitlines()
    at = output[0].index("STATE")
    assert [line[at:].split()[0] for line in output] == ["STATE", "succeeded", "succeeded", "succeeded"]
    assert len(output) == 4
    assert all("builds/" in line and SITE in line for line in output[1:])


async def test_rollback_takes_the_beginning_of_a_revision(service: Served) -> None:
    first, _, _ = await three_published(service)
    result = await run(service, "rollback", SITE, first[:6].upper())
    assert first in result.stdout
    assert (await objects(service, "sites"))[0]["currentRevision"] == first


async def test_beginning_that_names_none_or_several_is_refused(service: Served) -> None:
    await three_published(service)
    missing = await run(service, "rollback", SITE, "0" * 6, expecting=1)
    assert "no revision of" in missing.stderr
    whole = await run(service, "rollback", SITE, "0" * 64, expecting=1)
    assert "REVISION_NOT_FOUND" in whole.stderr
    pointer = await service.pipeline.sites.pointer(ENTITY)
    for ending in ("a", "b"):
        twin = Revision(ENTITY, "f" * 63 + ending, NOON, 1, 1, 1, "", "", "", "")
        await service.pipeline.sites.add_revision(twin)
        pointer = await service.pipeline.sites.move_pointer(
            ENTITY, to=twin.revision, source_etag="", expected=pointer, now=NOON
        )
    several = await run(service, "pin", SITE, "f" * 8, expecting=1)
    assert "2 revisions" in several.stderr
    assert "f" * 63 + "a" in several.stderr


@pytest.mark.parametrize("bad", ["abcde", "xyzxyz", "0" * 65])
async def test_what_is_no_beginning_of_a_revision_is_a_wrong_command_line(service: Served, bad: str) -> None:
    await run(service, "rollback", SITE, bad, expecting=2)


async def test_pinned_revision_is_shown_and_not_deleted(service: Served) -> None:
    first, second, _ = await three_published(service)
    await run(service, "pin", SITE, first[:10])
    assert "pinned" in (await lines(service, "revisions", SITE))[-1]
    refused = await run(service, "delete", SITE, "--revision", first[:10], expecting=1)
    assert "REVISION_PINNED" in refused.stderr
    await run(service, "unpin", SITE, first[:10])
    await run(service, "delete", SITE, "--revision", first[:10])
    assert [row[0] for row in await lines(service, "revisions", SITE)][1:] == [second[:12]]


async def test_site_is_deleted_with_all_its_revisions(service: Served) -> None:
    await three_published(service)
    assert "is deleted" in (await run(service, "delete", SITE)).stdout
    assert await lines(service, "sites") == []
    assert "SITE_NOT_FOUND" in (await run(service, "delete", SITE, expecting=1)).stderr
    await run(service, "delete", SITE, "--revision", "0" * 64, "--force", expecting=2)


async def test_builds_are_chosen_by_entity_and_state(service: Served) -> None:
    await three_published(service)
    assert len(await lines(service, "builds")) == 3
    assert len(await lines(service, "builds", "--limit", "2")) == 2
    assert len(await lines(service, "builds", "--entity", SITE, "--state", "succeeded", "--state", "failed")) == 3
    assert await lines(service, "builds", "--state", "failed") == []
    assert await lines(service, "builds", "--entity", "default/component/other") == []


async def test_changes_tell_who_did_what(service: Served) -> None:
    first, _, third = await three_published(service)
    await run(service, "rollback", SITE, first)
    rolled, *published = await objects(service, "changes", "--entity", SITE)
    assert (rolled["action"], rolled["revision"], rolled["previousRevision"]) == (
        "SITE_ACTION_ROLLED_BACK",
        first,
        third,
    )
    assert [change["action"] for change in published] == ["SITE_ACTION_PUBLISHED"] * 3
    (newest,) = await lines(service, "changes", "--limit", "1")
    assert "rolled_back" in newest


async def test_gc_says_what_goes_and_what_would_go(service: Served) -> None:
    await three_published(service)
    dry = (await run(service, "gc", "--dry-run")).stdout
    assert "1 revisions would be deleted" in dry
    assert len(await lines(service, "revisions", SITE)) == 3
    done = (await run(service, "gc")).stdout
    assert dry.replace("would be ", "") == done
    assert len(await lines(service, "revisions", SITE)) == 2


async def test_log_of_a_build_and_of_the_newest_of_an_entity(service: Served) -> None:
    await three_published(service)
    newest = str((await objects(service, "builds"))[0]["name"])
    of_build = (await run(service, "logs", newest)).stdout
    assert "Building documentation" in of_build
    assert (await run(service, "logs", SITE)).stdout == of_build
    assert (await run(service, "logs", "-f", SITE)).stdout == of_build
    events = [
        Parse(line, builds_pb2.BuildEvent())
        for line in (await run(service, "logs", "--json", SITE)).stdout.splitlines()
    ]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert "has no builds" in (await run(service, "logs", "default/component/other", expecting=1)).stderr
    assert "BUILD_NOT_FOUND" in (await run(service, "logs", "builds/nothing", expecting=1)).stderr
    await run(service, "logs", "nonsense", expecting=2)


async def test_log_of_a_running_build_ends_where_it_is_and_follows_when_asked(service: Served) -> None:
    service.pipeline.write(index="one")
    service.pipeline.generator.gate.clear()
    syncing = asyncio.create_task(service.sync())
    await service.pipeline.generator.started.wait()
    (await run(service, "logs", SITE)).stdout  # noqa: B018 - that it ends is the point
    following = asyncio.create_task(run(service, "logs", "-f", "--json", SITE))
    done, _ = await asyncio.wait([following], timeout=0.3)
    assert not done
    service.pipeline.generator.gate.set()
    await syncing
    last = json.loads((await following).stdout.splitlines()[-1])
    assert last["stateChange"]["state"] == "BUILD_STATE_SUCCEEDED"


async def test_following_a_build_that_fails_says_so_with_its_exit_status(service: Served) -> None:
    service.pipeline.write(index="one", FAIL="no theme")
    with pytest.raises(Exception, match="no theme"):
        await service.sync()
    result = await run(service, "logs", "-f", SITE, expecting=1)
    assert "ended as failed" in result.stderr
    await run(service, "logs", SITE)


async def build_with_a_long_log(service: Served) -> Build:
    """Put a build that has ended into the records."""
    records = service.pipeline.builds
    build = await records.create_build(queued(ENTITY))
    running = build.moved(BuildState.PREPARING, now=NOON)
    said = [BuildEvent(number + 2, NOON, LogLine(Severity.INFO, line)) for number, line in enumerate(LINES)]
    await records.append_events(running, [BuildEvent(1, NOON, running), *said])
    ended = replace(running.moved(BuildState.CANCELLED, now=NOON + timedelta(seconds=1)), last_sequence=len(LINES) + 1)
    await records.append_events(ended, [BuildEvent(len(LINES) + 2, NOON, ended)])
    return ended


async def test_log_goes_on_where_it_was_after_a_lost_connection(service: Served) -> None:
    build = await build_with_a_long_log(service)
    host, port = service.target.split(":")
    async with faulty_proxy(host, int(port)) as proxy:
        proxy.cut_after = 6_000

        def follow() -> list[int]:
            options = ClientOptions(proxy.endpoint.removeprefix("http://"))
            with open_channel(options) as channel:
                events = build_events(channel, build.name, follows=True, patience=Patience(50))
                return [event.sequence for event in events]

        assert await asyncio.to_thread(follow) == list(range(1, len(LINES) + 3))
        assert proxy.connections > 2


async def test_server_that_is_not_there_is_unavailable() -> None:
    command = ["sites", "--server", "127.0.0.1:1", "--timeout", "1"]
    result = await asyncio.to_thread(CliRunner().invoke, main, command)
    assert result.exit_code == 4
    assert "cannot be reached" in result.stderr
