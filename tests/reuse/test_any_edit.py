"""Whatever is edited: a site built with reuse is byte for byte what plain MkDocs makes of the same files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.reuse.scripts import Script, shortest
from tests.support.edited_sites import Bench, EditedSite, Outcome
from tests.support.sites import Files

SCRIPTS = 12
_OPTION = "--reuse-examples"


class CountingBench(Bench):
    """Counts the pages that were reused."""

    reused_pages = 0

    def both(self, files: Files, site: EditedSite) -> tuple[Outcome, Outcome]:
        """See `Bench.both`."""
        ours, plain = super().both(files, site)
        if ours.pages is not None:
            self.reused_pages += ours.pages.reused
        return ours, plain


class LazyBench(Bench):
    """The negative control: keeps every page as it was at first."""

    def both(self, files: Files, site: EditedSite) -> tuple[Outcome, Outcome]:
        """See `Bench.both`."""
        before = dict(site.files)
        ours, plain = super().both(files, site)
        kept = {name: before.get(name, content) for name, content in ours.files.items() if name.endswith(".html")}
        site.files = {**ours.files, **kept}
        return replace(ours, files=site.files), plain


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The known seeds or, with the option, others each time."""
    wanted = metafunc.config.getoption(_OPTION)
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", random.sample(range(10**9), wanted) if wanted else range(SCRIPTS))


@pytest.fixture(scope="module")
def bench() -> Iterator[CountingBench]:
    with CountingBench() as made:
        yield made


# Shortening a script that failed plays it up to sixty times.
@pytest.mark.timeout(1800)
def test_any_edits_give_the_site_and_the_warnings_of_mkdocs(
    bench: CountingBench, seed: int, request: pytest.FixtureRequest
) -> None:
    script = Script.of_seed(seed)
    found = script.play(bench)
    if found and request.config.getoption(_OPTION):
        script = shortest(script, lambda shorter: bool(shorter.play(bench)))
        found = script.play(bench) or found
    assert found == [], f"seed {seed}: {script}"


def test_scripts_reuse_pages(bench: CountingBench) -> None:
    if not bench.reused_pages:
        Script.of_seed(0).play(bench)
    assert bench.reused_pages > 0


def test_scripts_find_pages_that_were_reused_wrongly() -> None:
    with LazyBench() as lazy:
        assert any(Script.of_seed(seed).play(lazy) for seed in range(3))


def test_script_that_fails_is_made_as_short_as_what_fails_in_it() -> None:
    script = Script.of_seed(1)
    culprit = script.steps[3].changes[0]

    def fails(candidate: Script) -> bool:
        return any(culprit in step.changes for step in candidate.steps)

    less = shortest(script, fails)
    assert [list(step.changes) for step in less.steps] == [[culprit]]
    assert len(less.before) < len(script.before)


def test_seed_gives_the_same_script_each_time() -> None:
    assert Script.of_seed(3) == Script.of_seed(3) != Script.of_seed(4)
