"""A build forked from a loaded process is the build that a new process makes: same files, same log, same life."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.domain.build import BuildWarning
from techdocs_server.ports.generator import GenerateRequest
from techdocs_server.sandbox.config.policy import ConfigPolicy

from tests.support.launchers import preloaded
from tests.support.sites import (
    MONOREPO_FILES,
    PLAIN_PAGES,
    RICH_PAGES,
    files_below,
    mkdocs_config,
    write_files,
    write_site,
)

SECONDS = re.compile(r"\d+\.\d+ seconds")


@dataclass(frozen=True)
class Built:
    """What a build made and said."""

    files: dict[str, bytes]
    lines: list[str]
    warnings: tuple[BuildWarning, ...]


async def build(generator: MkDocsGenerator, tree: Path, output: Path) -> Built:
    output.mkdir(parents=True)
    lines: list[str] = []
    request = GenerateRequest(tree, output, "Demo", timeout_seconds=60)
    site = await generator.generate(request, log=lambda line: lines.append(SECONDS.sub("SECONDS", line.text)))
    return Built(files_below(output), lines, site.warnings)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trees that use much of what is shared by builds of one loaded process."""
    folder = tmp_path_factory.mktemp("sites")
    made = {
        "plain": write_site(folder / "plain", pages=PLAIN_PAGES, config=mkdocs_config("Plain")),
        "rich": write_site(folder / "rich", pages=RICH_PAGES, config=mkdocs_config("Rich")),
        "broken links": write_site(
            folder / "broken", pages={"docs/index.md": "# Home\n\n[gone](gone.md)\n"}, config=mkdocs_config("Broken")
        ),
        "in another language": write_site(
            folder / "language", config=mkdocs_config("Deutsch", theme={"name": "material", "language": "de"})
        ),
        "without configuration": write_site(folder / "bare", config=""),
    }
    made["many in one"] = write_files(folder / "monorepo", MONOREPO_FILES)
    return made


@pytest.fixture
async def forking(tmp_path: Path) -> AsyncIterator[MkDocsGenerator]:
    generator = MkDocsGenerator(temporary_directory=tmp_path)
    await preloaded(generator)
    yield generator
    await generator.close()


def copy_of(tree: Path, target: Path) -> Path:
    """Return a copy that a build may change."""
    return Path(shutil.copytree(tree, target))


@pytest.mark.slow
async def test_forked_builds_make_and_say_what_new_processes_do_whatever_was_built_before(
    forking: MkDocsGenerator, sites: dict[str, Path], tmp_path: Path
) -> None:
    alone = MkDocsGenerator(temporary_directory=tmp_path)
    expected = {
        name: await build(alone, copy_of(tree, tmp_path / "alone" / name / "tree"), tmp_path / "alone" / name / "site")
        for name, tree in sites.items()
    }
    # In both orders: what a build leaves behind would show in the ones after it.
    for turn, names in enumerate((list(sites), list(reversed(sites)))):
        for name in names:
            folder = tmp_path / f"forked-{turn}" / name
            assert forking.is_preloaded
            built = await build(forking, copy_of(sites[name], folder / "tree"), folder / "site")
            assert built.files.keys() == expected[name].files.keys()
            different = [path for path in built.files if built.files[path] != expected[name].files[path]]
            assert different == []
            assert built.lines == expected[name].lines
            assert built.warnings == expected[name].warnings


# The collector sleeps until this: what it finds then is all that the loaded process left.
HOOK = (
    "import gc, os\n"
    "files = [os.open('/dev/null', os.O_RDONLY) for _ in range(64)]\n"
    "gc.collect()\n"
    "for file in (0, 1, 2, *files): os.fstat(file)\n"
)
WITHOUT_COLLECTOR = (
    "#!{python}\nimport os, sys\n"
    "arguments = [text.replace('main()', 'import gc; gc.disable(); main()') for text in sys.argv[1:]]\n"
    "os.execv({python!r}, [{python!r}, *arguments])\n"
)


async def test_collector_closes_no_file_of_a_fork(tmp_path: Path) -> None:
    # A loaded process owns a selector and sockets. Found by the collector, they would close numbers that are the build's.
    python = tmp_path / "python"
    python.write_text(WITHOUT_COLLECTOR.format(python=sys.executable))
    python.chmod(0o755)
    generator = MkDocsGenerator(
        python,
        temporary_directory=tmp_path,
        policy=ConfigPolicy(rewrites=False),
        isolation=IsolationPolicy(layers=frozenset()),
    )
    await preloaded(generator)
    try:
        tree = write_site(tmp_path / "tree", config=mkdocs_config(hooks=["hook.py"]))
        write_files(tree, {"hook.py": HOOK})
        assert (await build(generator, tree, tmp_path / "site")).files
    finally:
        await generator.close()
