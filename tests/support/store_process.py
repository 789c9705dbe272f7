"""Other processes that use a store, to be killed, starved or raced by tests.

Run as ``python -m tests.support.store_process WHAT FOLDER`` in the root of the
project. Each prints one line when it is where the test wants it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import StorageUnavailable

from tests.support.blob_content import read, stored, streamed
from tests.support.record_values import entity, log_event, queued

_NOBODY = 65534


async def stalled_put(folder: Path) -> None:
    """Put all but the end of a large blob, say so, and wait for ever."""
    content = bytes(4 * 1024 * 1024)

    async def stalled() -> AsyncIterator[bytes]:
        yield content[:-1]
        _say("stalled")
        await asyncio.Event().wait()

    await FilesystemBlobStore(folder).put(Digest.of(content), stalled())


async def put_until_full(folder: Path) -> None:
    """Put ever more blobs; say what stops it, what of the last one is left, and whether reading goes on."""
    store = FilesystemBlobStore(folder)
    first = await stored(store, b"first")
    for number in range(1000):
        content = number.to_bytes(4, "big") * 100_000
        try:
            await stored(store, content)
        except StorageUnavailable as error:
            left = [path for path in (folder / "tmp").rglob("*") if path.is_file()]
            missing = await store.missing([Digest.of(content)])
            _say(f"{error.message}; {len(left)} left; {len(missing)} missing; {(await read(store, first)).decode()}")
            break
    await store.close()


async def put_beyond_file_size(folder: Path) -> None:
    """Do as `put_until_full` does where no file may grow beyond 300 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    await put_until_full(folder)


async def use_without_permission(folder: Path) -> None:
    """Lose the right to enter the store; say what each method answers."""
    store = FilesystemBlobStore(folder)
    digest = await stored(store, b"content")
    folder.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(_NOBODY)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: read(store, digest),
        lambda: store.missing([digest]),
        lambda: store.put(Digest.of(b"other"), streamed(b"other")),
    ]
    answers = []
    for call in calls:
        try:
            answers.append(str(await call()))
        except Exception as error:
            answers.append(str(error))
    _say(" | ".join(answers))


async def upgrade_database(folder: Path) -> None:
    """Wait for a line on stdin, then bring the database up to date."""
    _say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    database = SqlDatabase(f"sqlite:///{folder / 'records.sqlite'}")
    await upgrade(database)
    await database.close()
    _say("done")


async def append_for_ever(folder: Path) -> None:
    """Append batches of events to a new build as fast as it goes; say its id first."""
    records = SqlBuildRecords(SqlDatabase(f"sqlite:///{folder / 'records.sqlite'}"))
    build = await records.create_build(queued(entity("docs")))
    _say(build.id)
    sequence = 0
    while True:
        await records.append_events(build, [log_event(sequence + number) for number in range(1, 21)])
        sequence += 20


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


_PLAYS = (
    append_for_ever,
    put_beyond_file_size,
    put_until_full,
    stalled_put,
    upgrade_database,
    use_without_permission,
)

if __name__ == "__main__":
    chosen = {play.__name__: play for play in _PLAYS}[sys.argv[1]]
    asyncio.run(chosen(Path(sys.argv[2])))
