"""What isolation finds out about this machine, and what it does where it finds too little."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import Isolation, IsolationMode, IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.adapters.generators.toolchain import ToolchainUnusable
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.ports.generator import GenerateRequest
from techdocs_server.sandbox.isolation.level import Guarantee
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, Layer
from techdocs_server.sandbox.launch import DEFAULT_SEARCH_PATH

from tests.support.isolated import layers_here
from tests.support.sites import write_site

KERNEL = ALL_LAYERS - {Layer.BUBBLEWRAP}
REQUIRE = IsolationMode.REQUIRE


def measured(scratch: Path, policy: IsolationPolicy) -> Isolation:
    return Isolation.measured(policy, python=Path(sys.executable), scratch=scratch, search_path=DEFAULT_SEARCH_PATH)


@pytest.mark.parametrize("programs", [False, True])
def test_everything_holds_on_this_machine(tmp_path: Path, programs: bool) -> None:
    level = measured(tmp_path, IsolationPolicy(programs=programs)).level
    assert level.layers == layers_here()
    assert level.reached == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("programs", [False, True])
def test_everything_holds_without_bubblewrap(tmp_path: Path, programs: bool) -> None:
    level = measured(tmp_path, IsolationPolicy(programs=programs, layers=KERNEL)).level
    assert level.layers == KERNEL
    assert level.reached == {}


@pytest.mark.parametrize(
    ("without", "lost"),
    [
        (Layer.LANDLOCK, {Guarantee.SECRETS, Guarantee.WRITES, Guarantee.SOURCE}),
        (
            Layer.SECCOMP,
            {Guarantee.NETWORK, Guarantee.WRITES, Guarantee.PROCESSES, Guarantee.LIMITS, Guarantee.LEFTOVERS},
        ),
        (Layer.RLIMITS, {Guarantee.LIMITS}),
    ],
)
def test_layer_that_is_left_out_is_missed(tmp_path: Path, without: Layer, lost: set[Guarantee]) -> None:
    level = measured(tmp_path, IsolationPolicy(layers=KERNEL - {without})).level
    assert without not in level.layers
    assert lost <= level.reached.keys()


def test_nothing_holds_without_layers(tmp_path: Path) -> None:
    level = measured(tmp_path, IsolationPolicy(layers=frozenset())).level
    assert level.reached.keys() == set(Guarantee)
    assert level.text.startswith("none (does not hold: no network, no secrets,")


def test_level_says_whether_bubblewrap_is_there(tmp_path: Path) -> None:
    level = measured(tmp_path, IsolationPolicy()).level
    assert (Layer.BUBBLEWRAP in level.layers) == (Layer.BUBBLEWRAP in layers_here())
    assert (Layer.BUBBLEWRAP in level.absent) == (Layer.BUBBLEWRAP not in layers_here())


def test_bubblewrap_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    level = measured(tmp_path, IsolationPolicy()).level
    assert level.layers == KERNEL
    assert level.absent == {Layer.BUBBLEWRAP: "the command bwrap is not installed"}


def test_bubblewrap_that_does_not_start_is_told_and_left_out(tmp_path: Path) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    bwrap.chmod(0o755)
    isolation = measured(tmp_path, IsolationPolicy(bwrap=bwrap))
    assert isolation.level.layers == KERNEL
    assert "No permissions to create a new namespace" in isolation.level.absent[Layer.BUBBLEWRAP]
    assert str(bwrap) not in isolation.command("build", tree=tmp_path, writable=())


def test_interpreter_that_fails_in_isolation_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    # It answers the first question, which is about its folders, and then no more.
    python.write_text('#!/bin/sh\ncase "$*" in *toolchain_paths*) echo \'{"readable": [], "programs": []}\';; esac\n')
    python.chmod(0o755)
    with pytest.raises(ToolchainUnusable, match="does not work in isolation: it said nothing"):
        Isolation.measured(
            IsolationPolicy(layers=KERNEL), python=python, scratch=tmp_path, search_path=DEFAULT_SEARCH_PATH
        )


def test_folder_for_builds_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolchainUnusable, match="isolation cannot be tried out"):
        measured(tmp_path / "file", IsolationPolicy())


async def build(generator: MkDocsGenerator, folder: Path) -> str:
    tree, output = folder / "tree", folder / "output"
    write_site(tree)
    output.mkdir()
    request = GenerateRequest(tree=tree, into=output, site_name="Demo", timeout_seconds=60)
    site = await generator.generate(request, log=lambda line: None)
    assert (output / "index.html").is_file()
    return site.isolation


async def test_site_carries_the_level_it_was_built_with(tmp_path: Path) -> None:
    generator = MkDocsGenerator(temporary_directory=tmp_path, isolation=IsolationPolicy(mode=REQUIRE))
    assert await build(generator, tmp_path) == generator.isolation_level.text
    assert generator.isolation_level.layers == layers_here()


async def test_build_is_refused_where_isolation_is_required_and_does_not_hold(tmp_path: Path) -> None:
    policy = IsolationPolicy(mode=REQUIRE, layers=frozenset({Layer.RLIMITS}))
    generator = MkDocsGenerator(temporary_directory=tmp_path, isolation=policy)
    with pytest.raises(BuildStepFailed) as caught:
        await build(generator, tmp_path)
    assert caught.value.reason is BuildFailureReason.ISOLATION_UNAVAILABLE
    assert "no network" in caught.value.problem
    assert "build_isolation" in caught.value.hint
    assert list((tmp_path / "output").iterdir()) == []


async def test_build_goes_on_where_isolation_may_be_degraded_and_says_so(tmp_path: Path) -> None:
    policy = IsolationPolicy(mode=IsolationMode.DEGRADED, layers=frozenset({Layer.RLIMITS}))
    generator = MkDocsGenerator(temporary_directory=tmp_path, isolation=policy)
    assert (await build(generator, tmp_path)).startswith("rlimits (does not hold: no network")


async def test_isolated_site_is_the_same_as_a_plain_one(tmp_path: Path) -> None:
    contents = []
    for name, layers in {"isolated": ALL_LAYERS, "plain": frozenset[Layer]()}.items():
        folder = tmp_path / name
        folder.mkdir()
        generator = MkDocsGenerator(temporary_directory=folder, isolation=IsolationPolicy(layers=layers))
        await build(generator, folder)
        output = folder / "output"
        contents.append({path.relative_to(output): path.read_bytes() for path in output.rglob("*") if path.is_file()})
    assert contents[0] == contents[1]
