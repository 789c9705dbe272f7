"""Sources that are folders of git repositories."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from techdocs_server.adapters.sources.address_rules import Lookup, checked_addresses, system_addresses
from techdocs_server.adapters.sources.git_command import CONFIGURATION, GitCommand, GitLimits, find_git
from techdocs_server.adapters.sources.git_failures import Asked
from techdocs_server.adapters.sources.git_refs import ResolvedGit
from techdocs_server.adapters.sources.git_repository import FetchedFolder, GitRepository
from techdocs_server.adapters.sources.known_etags import RecentlyKnown
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.sources.private_folder import private_folder
from techdocs_server.adapters.sources.problems import timed_out, unavailable
from techdocs_server.adapters.sources.scm_links import edit_links
from techdocs_server.adapters.sources.scm_urls import GitLocation, parse_git_location
from techdocs_server.adapters.sources.source_hosts import SourceHost, SourceHosts, parse_source_url, url_refused
from techdocs_server.adapters.sources.tree import TreeLimits
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.ports.sources import PreparedSource

T = TypeVar("T")

# An etag and its key are about 300 bytes: 10,000 of them are 3 MB.
_MOST_KNOWN = 10_000
# A list of 100,000 refs is 7 MB; the listing of 100,000 files with long paths 20 MB.
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
# http.curloptResolve came with 2.37. An older git would ignore it and resolve the name again.
_OLDEST_GIT = (2, 37)


@dataclass(frozen=True, slots=True)
class GitTimeouts:
    """How long, in seconds, asking for a repository's refs may take, and fetching from it."""

    check_seconds: float = 20.0
    fetch_seconds: float = 300.0


class GitPreparer:
    """Reads folders of repositories through the git command: one commit, the blobs of one folder.

    The etag is of the folder's files alone. What a commit's folder hashed to is remembered, so that an
    unchanged source costs one list of refs, and a commit elsewhere in the
    repository no blob.
    """

    def __init__(
        self,
        hosts: SourceHosts,
        *,
        max_bytes: int,
        max_files: int,
        temporary_directory: Path,
        timeouts: GitTimeouts = GitTimeouts(),
        max_concurrent: int = 8,
        lookup: Lookup = system_addresses,
        configuration: Mapping[str, str] = CONFIGURATION,
    ) -> None:
        """Bounds are of one source, as for `LocalDirectoryPreparer`.

        A repository's commit and trees, and the folder's blobs, may each be as
        large packed as ``max_bytes``. Private folders are made below
        ``temporary_directory``. At most ``max_concurrent`` sources are read at once.
        ``configuration`` is git's whole one; another than the default is for tests.
        """
        self._hosts = hosts
        self._limits = TreeLimits(max_bytes=max_bytes, max_files=max_files)
        self._temporary_directory = temporary_directory
        self._timeouts = timeouts
        self._lookup = lookup
        self._configuration = configuration
        self._turns = asyncio.Semaphore(max_concurrent)
        self._copies = LocalDirectoryPreparer(max_bytes=max_bytes, max_files=max_files)
        self._of_commits: RecentlyKnown[tuple[str, str, str], str] = RecentlyKnown(_MOST_KNOWN)
        self._of_trees: RecentlyKnown[tuple[str, str], str] = RecentlyKnown(_MOST_KNOWN)
        self._is_git_checked = False

    def close(self) -> None:
        """Wait for what is running and end the threads. Not usable afterwards."""
        self._copies.close()

    async def etag(self, source: SourceRef) -> str:
        """See `SourcePreparer.etag`. A commit that is known costs one list of refs."""
        async with self._conversation(source) as talk:
            resolved = await self._in_time(talk, talk.repository.resolve(talk.location), for_check=True)
            known = self._of_commits.get(_key(resolved, resolved.commit))
            if known is not None:
                return known
            return (await self._in_time(talk, self._read(talk, resolved, into=None))).etag

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """See `SourcePreparer.prepare`."""
        async with self._conversation(source) as talk:
            resolved = await self._in_time(talk, talk.repository.resolve(talk.location), for_check=True)
            prepared = await self._in_time(talk, self._read(talk, resolved, into=into))
        return replace(prepared, edit_links=edit_links(talk.url, host=talk.host))

    async def _read(self, talk: _Conversation, resolved: ResolvedGit, *, into: Path | None) -> PreparedSource:
        fetched = await talk.repository.fetch(resolved)
        known = self._of_trees.get((resolved.clone_url, fetched.tree))
        if into is None and known is not None:
            self._remember(resolved, fetched, known)
            return PreparedSource(known, ())
        checkout, warnings = await talk.repository.check_out(fetched.tree)
        folder = SourceRef("dir", str(checkout), talk.url.shown, "")
        if into is None:
            copied = PreparedSource(await self._copies.etag(folder), ())
        else:
            copied = await self._copies.prepare(folder, into=into)
        self._remember(resolved, fetched, copied.etag)
        return PreparedSource(copied.etag, warnings + copied.warnings)

    def _remember(self, resolved: ResolvedGit, fetched: FetchedFolder, etag: str) -> None:
        self._of_commits.put(_key(resolved, fetched.commit), etag)
        self._of_trees.put((resolved.clone_url, fetched.tree), etag)

    @asynccontextmanager
    async def _conversation(self, source: SourceRef) -> AsyncIterator[_Conversation]:
        """Check everything that can be before anybody is asked, and open a private folder."""
        url = parse_source_url(source.location)
        host = self._hosts.allowed(url)
        try:
            location = parse_git_location(url, host)
        except URLRefused as error:
            raise url_refused(error) from error
        async with self._turns, private_folder(self._temporary_directory) as private:
            pinned = await self._pinned(url, host)
            limits = GitLimits(_MAX_OUTPUT_BYTES, self._limits.max_bytes)
            git = GitCommand(private, host, pinned=pinned, limits=limits, configuration=self._configuration)
            await self._check_git(git)
            asked = Asked(location.clone_url, host, self._limits.max_bytes)
            repository = GitRepository(git, private, asked=asked, limits=self._limits)
            yield _Conversation(url, host, location, repository)

    async def _pinned(self, url: WebURL, host: SourceHost) -> str:
        """Return what git connects to, checked, in place of resolving the name itself."""
        if host.is_this_machine:
            return ""
        try:
            async with asyncio.timeout(self._timeouts.check_seconds):
                addresses = await asyncio.to_thread(
                    checked_addresses,
                    url.name,
                    url.port,
                    private_allowed=host.allow_private_addresses,
                    lookup=self._lookup,
                )
        except TimeoutError as error:
            raise timed_out(f"the name service for {url.name}", self._timeouts.check_seconds) from error
        if url.name in addresses:
            return ""  # it is an address already
        listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
        return f"{url.name}:{url.port}:{listed}"

    async def _check_git(self, git: GitCommand) -> None:
        if self._is_git_checked:
            return
        if find_git() is None:
            raise unavailable("the server has no git", hint="the operator installs the git command, 2.37 or newer")
        found = re.search(r"(\d+)\.(\d+)", (await git.run("version")).decode())
        if found is None or (int(found[1]), int(found[2])) < _OLDEST_GIT:
            raise unavailable("the server's git is too old", hint="the operator installs git 2.37 or newer")
        self._is_git_checked = True

    async def _in_time(self, talk: _Conversation, work: Awaitable[T], *, for_check: bool = False) -> T:
        seconds = self._timeouts.check_seconds if for_check else self._timeouts.fetch_seconds
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError as error:
            raise timed_out(talk.location.clone_url, seconds) from error


@dataclass(frozen=True, slots=True)
class _Conversation:
    url: WebURL
    host: SourceHost
    location: GitLocation
    repository: GitRepository


def _key(resolved: ResolvedGit, commit: str) -> tuple[str, str, str]:
    return resolved.clone_url, commit, resolved.path
