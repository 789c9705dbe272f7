"""There is a young zygote at any time, and builds do without one."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.fork import ForkedBuild, ZygoteLost
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.adapters.generators.zygote import Zygote
from techdocs_server.adapters.generators.zygotes import Zygotes
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest
from techdocs_server.sandbox.config.policy import AllowedPlugin, ConfigPolicy
from techdocs_server.sandbox.fork_request import ForkRequest
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, Layer

from tests.support.holding import HoldingToolchain, holding_plugins
from tests.support.isolated import layers_here
from tests.support.launchers import preloaded
from tests.support.processes import builds_of, children_of, is_running, zygotes_of
from tests.support.sites import files_below, mkdocs_config, write_site
from tests.support.waiting import eventually

PLAIN = IsolationPolicy(layers=frozenset())
KERNEL = ALL_LAYERS - {Layer.BUBBLEWRAP}
NOT_A_PLAN = ForkedBuild(ForkRequest("not a plan", {}, {}, "/"), max_output_bytes=1000)


class Source:
    """Where zygotes come from: real ones, counted."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.starts = 0
        self.problem: Exception | None = None
        self.started: list[Zygote] = []
        scratch.mkdir()

    async def start(self) -> Zygote:
        self.starts += 1
        if self.problem is not None:
            raise self.problem
        zygote = await Zygote.start(
            Path(sys.executable), scratch=self.scratch, search_path="", layers=(), programs=False
        )
        self.started.append(zygote)
        return zygote


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[Source]:
    source = Source(tmp_path / "scratch")
    yield source
    assert list(source.scratch.iterdir()) == []
    assert children_of(os.getpid()) == []


async def present(zygotes: Zygotes, *, other_than: Zygote | None = None) -> Zygote:
    def found() -> Zygote | None:
        zygote = zygotes.present()
        return None if zygote is other_than else zygote

    zygote = await eventually(found, timeout_seconds=30, what="there is a zygote")
    assert zygote is not None
    return zygote


async def run(zygote: Zygote) -> int:
    return await zygote.run(NOT_A_PLAN, on_output=lambda _: None, watch=None)


async def test_none_is_there_before_it_begins_and_after_it_is_closed(source: Source) -> None:
    zygotes = Zygotes(source.start, ())
    assert zygotes.present() is None
    zygotes.begin()
    zygotes.begin()
    first = await present(zygotes)
    assert await present(zygotes) is first
    await zygotes.close()
    assert zygotes.present() is None
    await zygotes.close()
    assert source.starts == 1


async def test_zygote_is_replaced_after_so_many_builds(source: Source) -> None:
    zygotes = Zygotes(source.start, (), max_builds=2)
    zygotes.begin()
    first = await present(zygotes)
    for _ in range(2):
        assert zygotes.present() is first
        await run(first)
    await present(zygotes, other_than=first)
    await eventually(lambda: len(zygotes_of(os.getpid())) == 1, what="the first one is gone")
    await zygotes.close()


async def test_zygote_is_replaced_when_it_is_old(source: Source) -> None:
    zygotes = Zygotes(source.start, (), max_seconds=0.0)
    zygotes.begin()
    first = await present(zygotes)
    assert zygotes.present() is first, "the old one serves until the other is there"
    second = await present(zygotes, other_than=first)
    assert source.started[:2] == [first, second]
    await eventually(lambda: not first.is_alive, what="the old one is gone")
    await zygotes.close()


async def test_package_that_is_installed_means_another_zygote(source: Source, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    zygotes = Zygotes(source.start, (packages,))
    zygotes.begin()
    first = await present(zygotes)
    (packages / "new.py").touch()
    assert zygotes.present() is None
    await present(zygotes, other_than=first)
    await zygotes.close()


async def test_zygote_that_is_killed_is_replaced(source: Source) -> None:
    zygotes = Zygotes(source.start, ())
    zygotes.begin()
    first = await present(zygotes)
    os.kill(zygotes_of(os.getpid())[0], signal.SIGKILL)
    await eventually(lambda: not first.is_alive, what="its end is seen")
    await present(zygotes, other_than=first)
    await zygotes.close()


@pytest.mark.parametrize("problem", [ZygoteLost("no room"), RuntimeError("no idea")])
async def test_failing_start_is_told_once_and_tried_later(
    source: Source, caplog: pytest.LogCaptureFixture, problem: Exception
) -> None:
    source.problem = problem
    zygotes = Zygotes(source.start, ())
    zygotes.begin()
    await eventually(lambda: bool(caplog.records), what="it is told")
    for _ in range(3):
        assert zygotes.present() is None
        await asyncio.sleep(0)
    assert [record.message for record in caplog.records] == ["zygote_failed"]
    assert source.starts == 1
    await zygotes.close()


async def test_close_while_one_is_being_started_leaves_nothing(source: Source) -> None:
    zygotes = Zygotes(source.start, ())
    zygotes.begin()
    await eventually(lambda: bool(zygotes_of(os.getpid())), what="it is being started")
    await zygotes.close()
    assert source.started == []


class Builds:
    """One generator and the sites it builds, which wait while the gate is there."""

    def __init__(self, folder: Path, *, isolation: IsolationPolicy = PLAIN) -> None:
        toolchain = HoldingToolchain(folder / "toolchain")
        self.gate = toolchain.gate
        self.folder = folder
        self.lines: list[str] = []
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.generator = MkDocsGenerator(
            toolchain.python,
            temporary_directory=self.scratch,
            isolation=isolation,
            policy=ConfigPolicy(plugins=(AllowedPlugin("hold", ("gate",)),)),
        )

    def output(self, name: str) -> Path:
        return self.folder / name / "output"

    async def build(self, name: str) -> GeneratedSite:
        tree = self.folder / name / "tree"
        # Left out with a warning, before anything is held.
        config = mkdocs_config(plugins=holding_plugins(self.gate), hooks=["hook.py"])
        write_site(tree, config=config)
        self.output(name).mkdir()
        request = GenerateRequest(tree, self.output(name), "Demo", timeout_seconds=60)
        return await self.generator.generate(request, log=lambda line: self.lines.append(line.text))

    async def held(self, name: str) -> int:
        await eventually(lambda: (self.output(name) / "held").exists(), timeout_seconds=30, what="the build is held")
        [build] = builds_of(os.getpid())
        return build


@pytest.fixture
async def builds(tmp_path: Path) -> AsyncIterator[Builds]:
    builds = Builds(tmp_path)
    yield builds
    builds.gate.unlink(missing_ok=True)
    await builds.generator.close()
    assert list(builds.scratch.iterdir()) == []
    assert children_of(os.getpid()) == []


async def test_zygote_killed_before_during_and_after_builds_costs_none_of_them(
    builds: Builds, caplog: pytest.LogCaptureFixture
) -> None:
    plain = await builds.build("plain")
    wanted = {path: content for path, content in files_below(builds.output("plain")).items() if "sitemap" not in path}

    def is_good(name: str, site: GeneratedSite) -> bool:
        files = files_below(builds.output(name))
        return site.warnings == plain.warnings and {path: files.get(path) for path in wanted} == wanted

    await preloaded(builds.generator)
    os.kill(zygotes_of(os.getpid())[0], signal.SIGKILL)
    assert is_good("before", await builds.build("before"))

    await preloaded(builds.generator)
    builds.gate.touch()
    building = asyncio.create_task(builds.build("during"))
    first = await builds.held("during")
    os.kill(zygotes_of(os.getpid())[0], signal.SIGKILL)
    builds.gate.unlink()
    site = await building
    assert not is_running(first)
    assert len(site.warnings) == 1
    assert is_good("during", site)
    assert "zygote_lost" in [record.message for record in caplog.records]

    await preloaded(builds.generator)
    assert is_good("forked", await builds.build("forked"))
    os.kill(zygotes_of(os.getpid())[0], signal.SIGKILL)
    assert is_good("after", await builds.build("after"))


async def test_closing_ends_builds_that_run_in_retired_zygotes(builds: Builds) -> None:
    await preloaded(builds.generator)
    builds.gate.touch()
    building = asyncio.create_task(builds.build("held"))
    await builds.held("held")
    # As if something had been installed.
    builds.gate.parent.with_name("new.py").touch()
    await preloaded(builds.generator)
    assert len(zygotes_of(os.getpid())) == 2
    await builds.generator.close()
    with pytest.raises(Exception, match="so is the server"):
        await building
    assert children_of(os.getpid()) == []


async def test_toolchain_that_cannot_be_loaded_is_told_once_and_builds_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    builds = Builds(tmp_path)
    broken: Callable[..., object] = lambda: (_ for _ in ()).throw(ZygoteLost("it cannot be loaded"))  # noqa: E731
    builds.generator._zygotes._start = broken  # type: ignore[assignment]
    builds.generator.preload()
    for name in ("one", "two"):
        assert (await builds.build(name)).site_name == "Demo"
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == ["zygote_failed"]
    await builds.generator.close()


@pytest.mark.skipif(Layer.BUBBLEWRAP not in layers_here(), reason="bubblewrap does not start here")
async def test_nothing_is_preloaded_where_bubblewrap_isolates(tmp_path: Path) -> None:
    generator = MkDocsGenerator(temporary_directory=tmp_path)
    generator.preload()
    await asyncio.sleep(0)
    assert not generator.is_preloaded
    assert children_of(os.getpid()) == []
    await generator.close()
