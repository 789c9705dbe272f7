"""What every SiteSnapshots promises."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from techdocs_server.adapters.snapshots.filesystem import FilesystemSiteSnapshots
from techdocs_server.adapters.snapshots.memory import MemorySiteSnapshots
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site_snapshot import SiteSnapshot
from techdocs_server.ports.site_snapshots import FoundSnapshot, SiteSnapshots

from tests.support.record_values import entity, revision
from tests.support.seaweedfs import BUCKET, SeaweedFS
from tests.support.snapshots import deleted, found, snapshot
from tests.support.stores import SITE_SNAPSHOTS, open_site_snapshots

SITE = entity("docs")


@dataclass
class Store:
    """Snapshots, and a way to put any bytes among them."""

    snapshots: SiteSnapshots
    plant: Callable[[str, bytes], None]


@pytest.fixture(params=SITE_SNAPSHOTS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    server: SeaweedFS | None = request.getfixturevalue("s3_server") if request.param == "s3" else None
    async with open_site_snapshots(request.param, tmp_path, server) as opened:

        def plant(path: str, content: bytes) -> None:
            if isinstance(opened, MemorySiteSnapshots):
                opened.contents[path] = content
            elif server is not None:
                server.client.put_object(BUCKET, f"{tmp_path.name}/sites/{path}", io.BytesIO(content), len(content))
            else:
                file = tmp_path / "sites" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

        yield Store(opened, plant)


async def test_snapshot_comes_back_as_it_was(store: Store) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    pinned = replace(
        revision(
            SITE, "pinned", create_time=datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=east), site_name="Größe 📘"
        ),
        is_pinned=True,
    )
    full = snapshot(SITE, 7, 12, revisions=[revision(SITE, "current"), pinned])
    await store.snapshots.write(full)
    (back,) = await found(store.snapshots)
    assert back == FoundSnapshot(SITE, full, 7)
    assert back.snapshot is not None
    assert back.snapshot.pointer is not None
    assert back.snapshot.pointer.manifest_bytes == 321
    assert back.snapshot.revisions[1].create_time.utcoffset() == UTC.utcoffset(None)


async def test_nothing_is_found_in_an_empty_store(store: Store) -> None:
    assert await found(store.snapshots) == []
    await store.snapshots.prune(SITE)


async def test_highest_version_counts_in_whatever_order_they_are_written(store: Store) -> None:
    for version, change in [(2, 9), (10, 3), (9, 400), (10, 2)]:
        await store.snapshots.write(snapshot(SITE, version, change))
    assert await found(store.snapshots) == [FoundSnapshot(SITE, snapshot(SITE, 10, 3), 10)]


async def test_deletion_is_the_newest_state_of_a_site(store: Store) -> None:
    await store.snapshots.write(snapshot(SITE, 3, 5))
    await store.snapshots.write(deleted(SITE, 3, 6))
    assert await found(store.snapshots) == [FoundSnapshot(SITE, deleted(SITE, 3, 6), 3)]


async def test_every_site_is_found_in_the_order_of_entities(store: Store) -> None:
    sites = [
        entity("a.b-c_d"), entity("docs"), entity("docs.json"), entity("docs", kind="api"), entity("docs", namespace="tmp"),
    ]  # fmt: skip
    for site in sites:
        await store.snapshots.write(snapshot(site, 1))
    assert [each.entity for each in await found(store.snapshots)] == sorted(sites)


async def test_writing_again_and_at_once_changes_nothing(store: Store) -> None:
    made = snapshot(SITE, 4, 4)
    await asyncio.gather(*(store.snapshots.write(made) for _ in range(5)))
    await store.snapshots.write(made)
    assert await found(store.snapshots) == [FoundSnapshot(SITE, made, 4)]


async def test_pruning_leaves_the_newest_three_of_that_site_only(store: Store) -> None:
    other = entity("docs-2")
    for version in range(1, 7):
        await store.snapshots.write(snapshot(SITE, version))
    await store.snapshots.write(snapshot(other, 1))
    await store.snapshots.prune(SITE)
    await store.snapshots.prune(SITE)
    # What is left below the newest shows when the newer ones are damaged.
    for number, version in enumerate((6, 5, 4), start=1):
        store.plant(f"default/component/docs/{version:012d}-{0:012d}.json", b"{}")
        left = (await found(store.snapshots))[0]
        assert len(left.problems) == number
    assert left.snapshot is None
    assert left.newest_version == 6
    assert (await found(store.snapshots))[1].snapshot == snapshot(other, 1)


async def test_damaged_snapshot_falls_back_to_the_one_before(store: Store) -> None:
    older = snapshot(SITE, 4)
    whole = snapshot(SITE, 5).to_json()
    name = f"default/component/docs/{5:012d}-{0:012d}.json"
    await store.snapshots.write(older)
    other = snapshot(entity("other"), 5).to_json()
    later = snapshot(SITE, 6).to_json()
    for content in (
        b"",
        whole[:-1],
        whole.replace(b"5000000000", b"5000000001"),
        b"\xff",
        b"[]",
        b"[" * 9999,
        other,
        later,
    ):
        store.plant(name, content)
        (back,) = await found(store.snapshots)
        assert (back.snapshot, back.newest_version) == (older, 5), content[:60]
        assert len(back.problems) == 1
    store.plant(name, whole)
    assert await found(store.snapshots) == [FoundSnapshot(SITE, snapshot(SITE, 5), 5)]


async def test_snapshot_of_a_later_format_is_not_read(store: Store) -> None:
    content = snapshot(SITE, 5).to_json().replace(b'"format":1', b'"format":2')
    store.plant(f"default/component/docs/{5:012d}-{0:012d}.json", content)
    (back,) = await found(store.snapshots)
    assert back.snapshot is None
    assert "format" in back.problems[0]


async def test_what_is_no_snapshot_is_left_out(store: Store) -> None:
    good = f"{1:012d}-{0:012d}.json"
    for path in (f"default/component/docs/{good}.part", "default/component/docs/1-0.json", f"Default/component/x/{good}",
                 f"default/component/{good}", f"default/component/docs/more/{good}"):  # fmt: skip
        store.plant(path, snapshot(SITE, 1).to_json())
    assert await found(store.snapshots) == []


@pytest.mark.parametrize("kind", ["filesystem", "s3"])
async def test_snapshots_are_there_for_the_next_process(kind: str, tmp_path: Path, s3_server: SeaweedFS) -> None:
    made: SiteSnapshot = snapshot(SITE, 1)
    async with open_site_snapshots(kind, tmp_path, s3_server) as first:
        await first.write(made)
    with pytest.raises(StorageUnavailable):
        await first.write(made)
    async with open_site_snapshots(kind, tmp_path, s3_server) as second:
        assert await found(second) == [FoundSnapshot(SITE, made, 1)]


async def test_disk_that_is_gone_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    store = FilesystemSiteSnapshots(tmp_path / "mount" / "sites")
    (tmp_path / "mount").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageUnavailable):
        await found(store)
    with pytest.raises(StorageUnavailable):
        await store.write(snapshot(SITE, 1))
    assert not (tmp_path / "mount").exists()
    await store.close()
