"""One conversation with a repository: which commit, which folder of it, and its files on this disk.

Three requests fetch a folder: one for the commit and its trees, one for the blobs of
this folder alone, and before them one for the list of refs. Nothing of the
repository's history comes along. What the folder holds is counted and measured
before a single file of it is written.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.sources.git_command import GitCommand, GitFailed, GitOutputTooLarge
from techdocs_server.adapters.sources.git_failures import Asked, explain, too_many_refs
from techdocs_server.adapters.sources.git_refs import ResolvedGit, parse_refs, pinned, resolve
from techdocs_server.adapters.sources.problems import unavailable
from techdocs_server.adapters.sources.scm_urls import GitLocation, is_commit_id
from techdocs_server.adapters.sources.tree import MAX_DEPTH, MAX_PATH_BYTES, TreeLimits, readable
from techdocs_server.domain.errors import QuotaExceeded

# Where the commit that was fetched stands in our own repository.
_FETCHED = "refs/techdocs/source"
_MAX_WARNINGS = 100
_OBJECT = re.compile(rb"([0-9a-f]{40,64}) (commit|tree|blob) \d+")
_CONFIG = """[core]
\trepositoryformatversion = 1
\tbare = true
[extensions]
\tpartialClone = origin
{format}[remote "origin"]
\turl = "{url}"
\tpromisor = true
\tpartialclonefilter = blob:none
"""
# Files are the bytes that were committed: no line ends, keywords, encodings or filters of the author's choice.
ATTRIBUTES = "* -text -ident !eol !filter !working-tree-encoding\n"


@dataclass(frozen=True, slots=True)
class FetchedFolder:
    """A folder of a commit: the id of the commit and that of the folder's tree, which is the same for the same files."""

    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: bytes
    oid: str
    path: bytes

    @property
    def is_submodule(self) -> bool:
        return self.mode == b"160000"


class GitRepository:
    """A repository of a host, and our own bare one beside it, which is made by `fetch`.

    Every method raises `BuildStepFailed` and `QuotaExceeded` with what the author or
    operator can do.
    """

    def __init__(
        self, git: GitCommand, folder: Path, *, asked: Asked, limits: TreeLimits, attributes: str = ATTRIBUTES
    ) -> None:
        """``folder`` is empty and only ours. ``attributes`` go before those of the tree; others are for tests."""
        self._git = git
        self._asked = asked
        self._limits = limits
        self._attributes = attributes
        self._own = folder / "repository.git"
        self._checkout = folder / "checkout"
        self._variables = {"GIT_DIR": str(self._own)}

    async def resolve(self, location: GitLocation) -> ResolvedGit:
        """Return the commit of a location as it is now. A commit's own id needs no question to the server."""
        if location.ref is not None and is_commit_id(location.ref):
            return pinned(location)
        # HEAD is listed only along with everything else.
        kinds = () if location.ref is None else ("--heads", "--tags")
        try:
            listed = await self._run("ls-remote", "--quiet", *kinds, "--", self._asked.clone_url)
        except GitOutputTooLarge as error:
            raise too_many_refs(self._asked) from error
        return resolve(location, parse_refs(listed.decode("utf-8", "replace")))

    async def fetch(self, resolved: ResolvedGit) -> FetchedFolder:
        """Fetch a commit and its trees, and find the folder. The commit is the one that the server sent."""
        await asyncio.to_thread(self._make, is_sha256=len(resolved.commit) == 64)
        await self._run_on_own(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--filter=blob:none"),
            *("origin", f"+{resolved.name}:{_FETCHED}"),
        )
        questions = f"{_FETCHED}^{{commit}}\n{_FETCHED}^{{commit}}:{resolved.path}\n"
        answers = await self._run_on_own("cat-file", "--batch-check", content=questions.encode())
        commit, folder = (_OBJECT.fullmatch(line) for line in answers.split(b"\n")[:2])
        if commit is None or folder is None or folder[2] != b"tree":
            raise self._no_folder(resolved, is_file=folder is not None)
        return FetchedFolder(commit[1].decode(), folder[1].decode())

    async def check_out(self, tree: str) -> tuple[Path, tuple[str, ...]]:
        """Fetch the blobs of a folder and write its files; return where, and warnings of what was left out."""
        entries = await self._listing(tree)
        blobs = [entry.oid for entry in entries if not entry.is_submodule]
        if blobs:
            await self._fetch_blobs(blobs)
            await self._measure(blobs)
        await asyncio.to_thread(self._checkout.mkdir)
        on_checkout = {"GIT_WORK_TREE": str(self._checkout), "GIT_INDEX_FILE": str(self._own / "index")}
        await self._run_on_own("read-tree", tree, more=on_checkout)
        await self._run_on_own("checkout-index", "--all", "--quiet", more=on_checkout)
        submodules = [entry.path for entry in entries if entry.is_submodule][:_MAX_WARNINGS]
        return self._checkout, tuple(f"{readable(path)} was left out: it is a submodule" for path in submodules)

    async def _listing(self, tree: str) -> list[_Entry]:
        """Return every entry below a tree that is no tree. Needs no blobs."""
        most = 2 * self._limits.max_files
        try:
            listed = await self._run_on_own("ls-tree", "-r", "-z", tree)
        except GitOutputTooLarge as error:
            raise self._too_many(most) from error
        entries = list(_entries(listed))
        if len(entries) > most:
            raise self._too_many(most)
        for entry in entries:
            # Checked here too, and not only when it is copied: a folder nested without end is hard to remove again.
            if len(entry.path) > MAX_PATH_BYTES or entry.path.count(b"/") > MAX_DEPTH:
                raise QuotaExceeded(
                    f"the path {readable(entry.path[:MAX_PATH_BYTES])} is longer than {MAX_PATH_BYTES} bytes "
                    f"or nested deeper than {MAX_DEPTH} levels"
                )
        return entries

    async def _fetch_blobs(self, blobs: list[str]) -> None:
        # A server that does not know filters has sent them already; git sees that and asks nothing.
        await self._run_on_own(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin", "origin"),
            content=_lines(sorted(set(blobs))),
        )

    async def _measure(self, blobs: list[str]) -> None:
        """Refuse a folder whose files, each counted as often as it stands there, are too large. Nothing is unpacked."""
        listed = await self._run_on_own("cat-file", "--batch-check=%(objectsize)", "--buffer", content=_lines(blobs))
        sizes = listed.split(b"\n")[:-1]
        if not all(size.isdigit() for size in sizes):
            raise unavailable(f"{self._asked.host.host} did not send all files of {self._asked.clone_url}")
        if sum(map(int, sizes)) > self._limits.max_bytes:
            raise QuotaExceeded(
                f"the documentation in {self._asked.clone_url} is larger than {self._limits.max_bytes} bytes"
            )

    async def _run_on_own(self, *arguments: str, content: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
        return await self._run(*arguments, content=content, variables={**self._variables, **(more or {})})

    async def _run(self, *arguments: str, content: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
        try:
            return await self._git.run(*arguments, standard_input=content, variables=variables)
        except GitFailed as error:
            raise explain(error, self._asked) from error
        except OSError as error:
            raise unavailable(f"git cannot be started on the server: {error.strerror}") from error

    def _make(self, *, is_sha256: bool) -> None:
        """Make our own repository, without a process and without the templates of this machine."""
        for name in ("objects/pack", "refs", "info"):
            (self._own / name).mkdir(parents=True)
        (self._own / "HEAD").write_text("ref: refs/heads/none\n")
        (self._own / "info" / "attributes").write_text(self._attributes)
        # A URL's quotes and backslashes are percent-encoded, and it has no line breaks.
        config = _CONFIG.format(url=self._asked.clone_url, format="\tobjectFormat = sha256\n" if is_sha256 else "")
        (self._own / "config").write_text(config)

    def _no_folder(self, resolved: ResolvedGit, *, is_file: bool) -> Exception:
        where = f"{resolved.name} of {self._asked.clone_url}"
        if is_file:
            return unavailable(f"{resolved.path!r} in {where} is a file", hint="name the folder that it stands in")
        return unavailable(
            f"there is no folder {resolved.path!r} in {where}",
            hint="it may have been moved; name the folder that holds mkdocs.yml or docs",
        )

    def _too_many(self, most: int) -> QuotaExceeded:
        return QuotaExceeded(f"the documentation in {self._asked.clone_url} has more than {most} files")


def _entries(listed: bytes) -> Iterator[_Entry]:
    for line in listed.split(b"\0")[:-1]:
        words, _, path = line.partition(b"\t")
        mode, _, oid = words.split(b" ")
        yield _Entry(mode, oid.decode("ascii"), path)


def _lines(words: list[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
