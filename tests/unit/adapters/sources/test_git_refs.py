"""Which commit a location means."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.sources.git_refs import ResolvedGit, parse_refs, resolve
from techdocs_server.adapters.sources.scm_urls import GitLocation, RefKind
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed

A, B, C, D = "a" * 40, "b" * 40, "c" * 40, "d" * 40
URL = "https://github.com/o/r.git"
REFS = {
    "HEAD": A,
    "refs/heads/main": A,
    "refs/heads/feature/x": B,
    "refs/tags/feature": C,
    "refs/tags/v1": C,
    "refs/heads/both": B,
    "refs/tags/both": D,
}


@pytest.mark.parametrize(
    ("location", "name", "commit", "path"),
    [
        (GitLocation(URL), "HEAD", A, ""),
        (GitLocation(URL, None, "docs"), "HEAD", A, "docs"),
        (GitLocation(URL, "main", "docs", is_ref_open=True), "refs/heads/main", A, "docs"),
        (GitLocation(URL, "feature", "x/docs", is_ref_open=True), "refs/heads/feature/x", B, "docs"),
        (GitLocation(URL, "feature", "x", is_ref_open=True), "refs/heads/feature/x", B, ""),
        (GitLocation(URL, "feature", "y/docs", is_ref_open=True), "refs/tags/feature", C, "y/docs"),
        (GitLocation(URL, "feature/x", "docs"), "refs/heads/feature/x", B, "docs"),
        (GitLocation(URL, "feature", "x/docs", RefKind.TAG, True), "refs/tags/feature", C, "x/docs"),
        (GitLocation(URL, "both", "", is_ref_open=True), "refs/heads/both", B, ""),
        (GitLocation(URL, "both", "", RefKind.TAG, True), "refs/tags/both", D, ""),
        (GitLocation(URL, "refs/tags/both", ""), "refs/tags/both", D, ""),
        (GitLocation(URL, D, "docs", is_ref_open=True), D, D, "docs"),
        (GitLocation(URL, D.upper(), "docs", RefKind.COMMIT), D, D, "docs"),
    ],
)
def test_location_is_resolved(location: GitLocation, name: str, commit: str, path: str) -> None:
    assert resolve(location, REFS) == ResolvedGit(URL, name, commit, path)


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        (GitLocation(URL, "feature", "x/docs", RefKind.BRANCH), "has no branch that 'feature' names"),
        (GitLocation(URL, "main", "", RefKind.TAG, True), "has no tag that 'main' names"),
        (GitLocation(URL, "gone", "a", is_ref_open=True), "has no branch, tag or commit that 'gone/a' names"),
        (GitLocation(URL, "main", "", RefKind.COMMIT), "has no branch, tag or commit that 'main' names"),
        (GitLocation(URL, "refs/pull/1/head"), "has no branch, tag or commit that 'refs/pull/1/head' names"),
        (GitLocation(URL, "a" * 12), "too short for a commit"),
        (GitLocation(URL, A, "", RefKind.BRANCH), "has no branch that"),
    ],
)
def test_what_is_not_there_is_named(location: GitLocation, problem: str) -> None:
    with pytest.raises(BuildStepFailed) as caught:
        resolve(location, REFS)
    assert problem in caught.value.problem


def test_repository_without_a_default_branch_is_unavailable() -> None:
    with pytest.raises(BuildStepFailed) as caught:
        resolve(GitLocation(URL), {})
    assert caught.value.reason is BuildFailureReason.SOURCE_UNAVAILABLE


def test_annotated_tag_is_its_commit() -> None:
    listed = f"{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{C}\trefs/tags/v1^{{}}\n"
    assert parse_refs(listed) == {"HEAD": A, "refs/heads/main": A, "refs/tags/v1": C}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "warning: something",
        f"{A} refs/heads/main",
        f"{A[:-1]}\trefs/heads/main",
        f"{A.upper()}\trefs/heads/main",
        f"{A}\trefs/heads/a:refs/heads/b",
        f"{A}\trefs/heads/../../config",
        f"{A}\trefs/heads/a@{{1}}",
        f"{A}\trefs/heads/x*",
        f"{A}\trefs/heads/",
        f"{A}\t--upload-pack=x",
        f"{A}\trefs/notes/x",
        f"{A}\trefs/heads/x y",
    ],
)
def test_line_that_is_no_ref_is_dropped(line: str) -> None:
    assert parse_refs(f"{line}\n{B}\trefs/heads/good\n") == {"refs/heads/good": B}
