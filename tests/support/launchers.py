"""Generators whose builds are forked from a loaded process."""

from __future__ import annotations

from pathlib import Path

from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator

from tests.support.waiting import eventually


async def preloaded(generator: MkDocsGenerator) -> None:
    """Have the generator load its toolchain, and wait until builds are forked. The caller closes it."""
    generator.preload()
    await eventually(lambda: generator.is_preloaded, timeout_seconds=30, what="the toolchain is loaded")


def left_by_builds(workspaces: Path) -> list[Path]:
    """Return what is in a folder of workspaces, but for that of a toolchain that is being loaded."""
    return [path for path in workspaces.iterdir() if not path.name.startswith("techdocs-zygote-")]
