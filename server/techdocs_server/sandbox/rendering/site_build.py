"""Builds a site in the order of MkDocs' own build, and renders only what changed.

The steps and their order are those of mkdocs.commands.build.build in MkDocs 1.6.
Where pages cannot be proven to depend on nothing but what is looked at, every
page is rendered, one after the other.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from techdocs_server.sandbox.rendering.page_sizes import prune_navigation
from techdocs_server.sandbox.rendering.pages import SitePages
from techdocs_server.sandbox.rendering.purity import NotProven, check_pure, configuration_key
from techdocs_server.sandbox.rendering.speedups import share_emoji
from techdocs_server.sandbox.rendering.state import Kept, StateUnusable, opened
from techdocs_server.sandbox.rendering.templates import keep_compiled
from techdocs_server.sandbox.rendering.theme_files import list_quickly
from techdocs_server.sandbox.rendering.toolchain_identity import toolchain_identity
from techdocs_server.sandbox.rendering.values import digest
from techdocs_server.sandbox.rendering.workers import WorkerLost

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation

_VERSION = "1.6."


class Report(Protocol):
    """Is told how the build goes."""

    def progress(self, *, done: int, reused: int, total: int) -> None:
        """Some pages are done, some of them by reuse."""

    def reused(self, paths: list[str]) -> None:
        """These paths of the site were not written: they are as they were."""

    def full_build(self, reason: str) -> None:
        """No page can be reused."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """Where an earlier build left its state, and where this one leaves its own; None for nowhere.

    ``rules`` names what decides the output beside what is installed. ``workers`` are processes that render at once.
    """

    source: Path | None = None
    target: Path | None = None
    rules: str = ""
    workers: int = 1
    runs_programs: bool = False
    prune_navigation_above: int = 0


def build_site(config: MkDocsConfig, reuse: Reuse, report: Report) -> None:
    """Build a site into its site_dir. Raises what mkdocs.commands.build.build raises."""
    from mkdocs import utils
    from mkdocs.commands import build
    from mkdocs.exceptions import Abort, BuildError

    logger = logging.getLogger("mkdocs")
    warning_counter = utils.CountHandler()
    warning_counter.setLevel(logging.WARNING)
    if config.strict:
        logger.addHandler(warning_counter)
    try:
        start = time.monotonic()
        config = config.plugins.on_config(config)
        config.plugins.on_pre_build(config=config)
        build.log.info("Cleaning site directory")
        utils.clean_directory(config.site_dir)
        build.log.info(f"Building documentation to directory: {config.site_dir}")
        _build(config, reuse, report)
        if counts := warning_counter.get_counts():
            problems = ", ".join(f"{count} {name.lower()}s" for name, count in counts)
            raise Abort(f"Aborted with {problems} in strict mode!")
        build.log.info(f"Documentation built in {time.monotonic() - start:.2f} seconds")
    except WorkerLost as lost:
        # What ended a part of this build ends all of it, and who waits for it is told by what.
        lost.end_alike()
        raise
    except Exception as error:
        config.plugins.on_build_error(error=error)
        if isinstance(error, BuildError):
            build.log.error(str(error))
            raise Abort("Aborted with a BuildError!") from error
        raise
    finally:
        logger.removeHandler(warning_counter)


def _build(config: MkDocsConfig, reuse: Reuse, report: Report) -> None:
    from mkdocs.structure.files import get_files, set_exclusions
    from mkdocs.structure.nav import get_navigation

    files = get_files(config)
    env = config.theme.get_env()
    keep_compiled(env)
    list_quickly(env)
    files.add_files_from_theme(env, config)
    files = config.plugins.on_files(files, config=config)
    set_exclusions(files, config)
    nav = get_navigation(files, config)
    nav = config.plugins.on_nav(nav, config=config, files=files)

    prune_navigation(config, len(files.documentation_pages()), above=reuse.prune_navigation_above)
    with ExitStack() as resources:
        pages = _pages(config, files, reuse, report, resources)
        pages.populate()
        env = config.plugins.on_env(env, config=config, files=files)
        pages.begin_writing(env, nav)
        _write_templates(config, files, nav, env, pages)
        pages.write()
        for page in pages.all:
            page.validate_anchor_links(files=files, log_level=config.validation.links.anchors)
        config.plugins.on_post_build(config=config)
        pages.finish(reuse.target)


def _pages(config: MkDocsConfig, files: Files, reuse: Reuse, report: Report, resources: ExitStack) -> SitePages:
    import mkdocs

    identity = digest(toolchain_identity(), reuse.rules)
    try:
        if not mkdocs.__version__.startswith(_VERSION):
            raise NotProven(f"MkDocs {mkdocs.__version__} is not one that was read")
        check_pure(config, runs_programs=reuse.runs_programs)
        key = digest(identity, configuration_key(config))
    except NotProven as problem:
        report.full_build(str(problem))
        return SitePages(config, files, report=report, workers=1, kept=Kept(), key=None, identity=identity)
    share_emoji()
    try:
        kept = resources.enter_context(opened(reuse.source, identity=identity))
    except StateUnusable as problem:
        report.full_build(str(problem))
        kept = Kept()
    return SitePages(config, files, report=report, workers=reuse.workers, kept=kept, key=key, identity=identity)


def _write_templates(config: MkDocsConfig, files: Files, nav: Navigation, env: object, pages: SitePages) -> None:
    from mkdocs.commands import build

    pages.copy_assets()
    for template in config.theme.static_templates:
        build._build_theme_template(template, env, files, config, nav)  # type: ignore[arg-type]
    for template in config.extra_templates:
        build._build_extra_template(str(template), files, config, nav)
