"""Recovery by hand: the records of sites are made again from the store of contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.adapters.records.sql_saved_sites import SqlSavedSites
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.upkeep_errors import CollectionRunning
from techdocs_server.process import own_data_directory
from techdocs_server.services.restoring import Outcome, RestoredSite, SiteRestorer
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed
from techdocs_server.stores import Contents, open_contents, open_database

Say = Callable[[str], None]
"""Takes one line for people."""


async def recover(settings: Settings, *, dry_run: bool, force: bool, checks_files: bool, say: Say) -> bool:
    """Make every site again that the store knows of, say what became of each, and return whether all is well.

    The database must know of no site, unless ``force``: then those that are missing are
    added. A site is restored wholly or not at all; what a dry run says changes nothing but
    that an old database is brought up to date. Raises `StartFailed` when the stores cannot be used; sites
    restored before stay so, and another run with ``force`` goes on. No garbage is collected meanwhile: what
    is live is being found out.
    """
    async with AsyncExitStack() as resources:
        try:
            sites, contents = await _opened(settings, resources)
            if not force and await sites.has_sites():
                raise StartFailed(
                    "the database knows of sites already, so it was not lost; name an empty one, or add the sites that "
                    "are missing in it by --force"
                )
            clock = SystemClock()
            restorer = SiteRestorer(sites, contents.snapshots, contents.blobs, clock, checks_files=checks_files)
            return await _restore(restorer, dry_run=dry_run, say=say)
        except (CollectionRunning, StorageUnavailable) as error:
            raise StartFailed(error.message) from error


async def _opened(settings: Settings, resources: AsyncExitStack) -> tuple[SqlSavedSites, Contents]:
    def own(close: Callable[[], Awaitable[object]]) -> None:
        resources.push_async_callback(close)

    folder = own_data_directory(settings.data_directory, resources)
    contents = await open_contents(settings, folder, own)
    database = await open_database(settings, folder, own)
    await resources.enter_async_context(SqlBlobDooming(database).collecting())
    return SqlSavedSites(database), contents


async def _restore(restorer: SiteRestorer, *, dry_run: bool, say: Say) -> bool:
    outcomes: Counter[Outcome] = Counter()
    problems = 0
    async for site in restorer.restore(dry_run=dry_run):
        outcomes[site.outcome] += 1
        problems += len(site.problems)
        _say_site(site, say)
    _say_summary(outcomes, problems, dry_run=dry_run, say=say)
    return bool(outcomes) and not problems


def _say_site(site: RestoredSite, say: Say) -> None:
    what = f": serves {site.revision[:12]}, has {site.revision_count} revisions" if site.revision else ""
    say(f"{site.entity}: {site.outcome}{what}")
    for problem in site.problems:
        say(f"    {problem}")


def _say_summary(outcomes: Counter[Outcome], problems: int, *, dry_run: bool, say: Say) -> None:
    if not outcomes:
        say("The store of contents has no records of sites; look at s3_bucket, s3_prefix and data_directory.")
        return
    counts = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in Outcome if outcomes[outcome])
    say(f"{outcomes.total()} sites: {counts}" + (" (nothing was changed)" if dry_run else ""))
    if problems:
        say(
            f"{problems} problems. What was not recovered is garbage to the next collection: as long as you may mend it "
            "set gc_interval_seconds = 0"
        )
