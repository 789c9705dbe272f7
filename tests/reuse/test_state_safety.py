"""What an earlier build left may be anything: the site is right all the same. And a wrong page does not pass for right."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.corpus import Corpus
from tests.support.edit_case import START
from tests.support.edited_sites import Bench, EditedSite, differences, edited
from tests.support.sites import Files

_EDIT = {"docs/alone.md": "# Alone\n\nOther text.\n"}
_PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench() as made:
        yield made


@pytest.fixture
def site(bench: Bench) -> EditedSite:
    site = EditedSite()
    bench.ours(START, site)
    return site


def _cut(state: Path) -> None:
    for path in state.iterdir():
        path.write_bytes(path.read_bytes()[:-7])


def _cut_bodies(state: Path) -> None:
    (state / "bodies").write_bytes(b"")


def _flip(state: Path) -> None:
    path = state / "bodies"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _flip_index(state: Path) -> None:
    path = state / "index"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _of_another_format(state: Path) -> None:
    head, _, rest = (state / "index").read_bytes().partition(b"\n")
    (state / "index").write_bytes(json.dumps(["0" * 64, *json.loads(head)[1:]]).encode() + b"\n" + rest)


def _without_index(state: Path) -> None:
    (state / "index").unlink()


def _empty(state: Path) -> None:
    shutil.rmtree(state)
    state.mkdir()


def _foreign(state: Path) -> None:
    for name in ("index", "bodies", "entries"):
        (state / name).write_bytes(b"[1]\n\xff\x00{}")


@pytest.mark.parametrize(
    "damage", [_cut, _cut_bodies, _flip, _flip_index, _of_another_format, _without_index, _empty, _foreign]
)
def test_damaged_state_gives_a_full_build_that_says_why(
    bench: Bench, site: EditedSite, damage: Callable[[Path], None]
) -> None:
    assert site.state is not None
    damage(site.state)
    ours, plain = bench.both(edited(START, _EDIT), site)
    assert differences(ours, plain) == []
    assert ours.full_build_reason != ""
    assert ours.reused == frozenset()


def test_killed_build_leaves_nothing_that_makes_a_page_wrong(bench: Bench) -> None:
    moments = random.Random(7)
    site, files = EditedSite(), dict(Corpus(20).files())
    bench.ours(files, site)
    for number in range(4):
        files = edited(files, {"docs/index.md": f"# Edit {number}\n", f"docs/new-{number}.md": f"# New {number}\n"})
        left = bench.killed(files, site, seconds=moments.uniform(0.05, 0.6))
        # The server throws away what it was writing; even if it did not, that is of no use.
        for after in (EditedSite(site.files, left), site):
            ours, plain = bench.both(files, after)
            assert differences(ours, plain) == []


def test_comparison_sees_a_page_that_was_reused_wrongly(bench: Bench, site: EditedSite) -> None:
    wrong = site.files["alone/index.html"].replace(b"No link leads away", b"No link leads anywhere")
    site.files = {**site.files, "alone/index.html": wrong}
    ours, plain = bench.both(START, site)
    assert "alone/index.html" in ours.reused
    assert [line.partition(":")[0] for line in differences(ours, plain)] == ["alone/index.html"]


def test_comparison_sees_forged_state(bench: Bench, site: EditedSite) -> None:
    assert site.state is not None
    _forge(site.state, b"No link leads away", b"No link leads nigh")
    # The new title is shown by every page: all are written again, with bodies from the state.
    ours, plain = bench.both(edited(START, {"docs/zeta.md": "# Omega\n"}), site)
    assert [line.partition(":")[0] for line in differences(ours, plain)] == ["alone/index.html"]


def _forge(state: Path, old: bytes, new: bytes) -> None:
    """Change a body so that every digest is right."""
    bodies = (state / "bodies").read_bytes()
    assert bodies.count(old) == 1
    assert len(old) == len(new)
    (state / "bodies").write_bytes(bodies.replace(old, new))
    head, _, rest = (state / "index").read_bytes().partition(b"\n")
    identity, index, _, entries = json.loads(head)
    digest = hashlib.sha256(bodies.replace(old, new)).hexdigest()
    (state / "index").write_bytes(json.dumps([identity, index, digest, entries]).encode() + b"\n" + rest)


def _own_documentation() -> Files:
    names = [_PROJECT / "mkdocs.yml", *(path for path in (_PROJECT / "docs").rglob("*") if path.is_file())]
    return {str(path.relative_to(_PROJECT)): path.read_bytes() for path in names}


@pytest.mark.parametrize(
    "start", [_own_documentation, Corpus(20).files, Corpus(20, nav=True).files], ids=["own", "corpus", "corpus-nav"]
)
def test_real_documentation_stays_the_same_as_that_of_mkdocs(bench: Bench, start: Callable[[], Files]) -> None:
    chance = random.Random(11)
    site, files = EditedSite(), dict(start())
    reused = 0
    for _ in range(7):
        ours, plain = bench.both(files, site)
        assert differences(ours, plain) == []
        reused += len(ours.reused)
        files = _randomly_edited(files, chance)
    assert reused > 0


def _randomly_edited(files: Files, chance: random.Random) -> dict[str, str | bytes]:
    pages = sorted(name for name in files if name.endswith(".md") and name.startswith("docs/"))
    page, other = chance.choice(pages), chance.choice(pages)
    text = files[page] if isinstance(files[page], bytes) else str(files[page]).encode()
    assert isinstance(text, bytes)
    edits: list[dict[str, str | bytes | None]] = [
        {page: text + b"\nOne more paragraph.\n"},
        {page: text + b"\n## One more heading\n\n[away](nowhere.md) [here](#one-more-heading)\n"},
        {page: text.replace(b"# ", b"# Renamed ", 1)},
        {page: None},
        {page: None, page.replace(".md", "-moved.md"): text},
        {page: text, other: text},
        {page.replace(".md", "-copy.md"): text},
    ]
    return edited(files, chance.choice(edits))
