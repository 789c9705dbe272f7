"""Which commit a location means, by the repository's own list of refs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from techdocs_server.adapters.sources.problems import refused, unavailable
from techdocs_server.adapters.sources.scm_urls import GitLocation, RefKind, is_commit_id

HEAD = "HEAD"
_PEELED = "^{}"
_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\t(\S+)", re.ASCII)
# What git allows in the name of a ref (git-check-ref-format); a server may send anything.
_NAME = re.compile(r"refs/(heads|tags)/[^\x00-\x20\x7f~^:?*\[\\]+")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResolvedGit:
    """A folder of a commit. ``name`` is what to ask the server for: a full ref, ``HEAD``, or the commit itself."""

    clone_url: str
    name: str
    commit: str
    path: str


def parse_refs(text: str) -> dict[str, str]:
    """Return the commits of branches, tags and HEAD from what ``git ls-remote`` prints.

    An annotated tag stands for the commit it names. Lines that are nothing of the
    kind are dropped.
    """
    refs: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        commit, name = found.groups()
        bare = name.removesuffix(_PEELED)
        # The commit of an annotated tag is listed after the tag itself.
        if bare == HEAD or (_NAME.fullmatch(bare) and ".." not in bare and "@{" not in bare):
            refs[bare] = commit
    return refs


def resolve(location: GitLocation, refs: Mapping[str, str]) -> ResolvedGit:
    """Return the commit and path of a location.

    Of several refs that the URL may mean the one with the longest name is taken,
    and a branch before a tag. Raises `BuildStepFailed` when there is none.
    """
    if location.ref is None:
        if HEAD not in refs:
            raise unavailable(
                f"the repository {location.clone_url} has no default branch", hint="is it empty? name a branch"
            )
        return ResolvedGit(location.clone_url, HEAD, refs[HEAD], location.path)
    for ref, path in _readings(location, location.ref):
        for name in _full_names(ref, location.kind):
            if name in refs:
                return ResolvedGit(location.clone_url, name, refs[name], path)
    return pinned(location)


def pinned(location: GitLocation) -> ResolvedGit:
    """Return the commit and path of a location that names a commit. Raises `BuildStepFailed` when it does not."""
    ref = location.ref or ""
    if is_commit_id(ref) and location.kind in (RefKind.ANY, RefKind.COMMIT):
        return ResolvedGit(location.clone_url, ref.lower(), ref.lower(), location.path)
    if _SHORT_COMMIT.fullmatch(ref):
        raise refused(
            f"{ref!r} is no branch or tag of {location.clone_url}, and too short for a commit",
            hint="write all 40 characters of the commit's id, or name a branch",
        )
    named = f"{ref}/{location.path}" if location.is_ref_open and location.path else ref
    what = {RefKind.BRANCH: "no branch", RefKind.TAG: "no tag"}.get(location.kind, "no branch, tag or commit")
    raise unavailable(
        f"the repository {location.clone_url} has {what} that {named!r} names",
        hint="it may have been deleted or renamed; name one that exists in the source's URL",
    )


def _readings(location: GitLocation, ref: str) -> Iterator[tuple[str, str]]:
    """Yield every (ref, path) that the URL may mean, the longest ref first."""
    if not location.is_ref_open:
        yield ref, location.path
        return
    parts = location.path.split("/") if location.path else []
    for end in range(len(parts), -1, -1):
        yield "/".join((ref, *parts[:end])), "/".join(parts[end:])


def _full_names(ref: str, kind: RefKind) -> tuple[str, ...]:
    if ref.startswith("refs/"):
        return (ref,)
    if kind is RefKind.ANY:
        return RefKind.BRANCH + ref, RefKind.TAG + ref
    return () if kind is RefKind.COMMIT else (kind + ref,)
