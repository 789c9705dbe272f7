"""A site that was built with reuse is the site that MkDocs builds, after each edit of many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reuse.page_cases import CASES as PAGE_CASES
from tests.reuse.site_cases import CASES as SITE_CASES
from tests.support.edit_case import START, Case
from tests.support.edited_sites import Bench, EditedSite, differences, edited


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench() as made:
        yield made


@pytest.mark.parametrize("case", [*PAGE_CASES, *SITE_CASES], ids=lambda case: case.name.replace(" ", "-"))
def test_every_edit_gives_the_site_and_the_warnings_of_mkdocs(bench: Bench, case: Case) -> None:
    site = EditedSite()
    files = edited(START, case.more)
    reused = False
    for number, edit in enumerate([{}, *case.edits, {}]):
        files = edited(files, edit)
        ours, plain = bench.both(files, site)
        assert differences(ours, plain) == [], f"after edit {number}"
        reused = bool(ours.reused) or reused
    # The last edit was none.
    assert reused is case.reuses
    if case.reuses and not ours.failure:
        assert ours.pages is not None
        assert ours.pages.reused > 0
        assert ours.full_build_reason == ""
