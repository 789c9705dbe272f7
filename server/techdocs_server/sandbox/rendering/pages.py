"""The pages of a site on their way to files: rendered, or reused."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from techdocs_server.sandbox.rendering.assets import Assets, can_be_named
from techdocs_server.sandbox.rendering.capture import say_again, silent_log, tapped_log
from techdocs_server.sandbox.rendering.navigation import navigation_key, share_navigation
from techdocs_server.sandbox.rendering.output import output_key, places_written_last
from techdocs_server.sandbox.rendering.page_sizes import PageSizes
from techdocs_server.sandbox.rendering.populating import PageSources, Rendered, from_bytes, render, to_bytes
from techdocs_server.sandbox.rendering.records import Body, Head
from techdocs_server.sandbox.rendering.search import SearchParts, search_plugin
from techdocs_server.sandbox.rendering.state import Kept, KeptPage, StateWriter
from techdocs_server.sandbox.rendering.workers import WorkerFailed, in_parallel
from techdocs_server.sandbox.rendering.written import Written

if TYPE_CHECKING:
    import jinja2
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page


_STEPS_PER_REPORT = 20


class Progress(Protocol):
    """Is told how the pages go on."""

    def progress(self, *, done: int, reused: int, total: int) -> None:
        """Some pages are done, some of them by reuse."""

    def reused(self, paths: list[str]) -> None:
        """These paths of the site were not written."""


@dataclass
class SitePage:
    """A page and what is known of it in this build.

    ``kept`` is what an earlier build left of the same rendering, ``head`` the page as
    it is now, None when it depends on what cannot be looked at. ``body`` is as it is
    stored: the page has its HTML only while its file is written.
    """

    page: Page
    key: str = ""
    kept: KeptPage | None = None
    head: Head | None = None
    body: bytes | None = None
    output: str = ""
    is_reused: bool = False
    entries_key: str = ""
    entries: bytes = b""


class SitePages:
    """All pages of one build. Without ``key`` they are rendered one after the other and nothing is kept of them."""

    def __init__(
        self, config: MkDocsConfig, files: Files, *, report: Progress, workers: int, kept: Kept, key: str | None,
        identity: str,
    ) -> None:  # fmt: skip
        self._config = config
        self._files = files
        self._report = report
        self._workers = workers
        self._kept = kept
        self._key = key
        self._identity = identity
        self._sources = PageSources(config, files, configuration=key or "", tree=Path.cwd())
        self._assets = Assets(config, dict(kept.assets) if key else {}, identity)
        self._pages: list[SitePage] = []
        self._steps = 0
        self._reused = 0
        self._sizes = PageSizes()
        plugin = search_plugin(config) if key else None
        self._search = SearchParts(plugin.search_index) if plugin else None
        if plugin and self._search:
            plugin.search_index = self._search  # type: ignore[assignment]  # stands in for it

    @property
    def all(self) -> list[Page]:
        """The pages in the order of MkDocs."""
        return [known.page for known in self._pages]

    # First half: Markdown.

    def populate(self) -> None:
        """Render the Markdown of what changed. Raises what MkDocs and plugins raise."""
        from mkdocs.structure.pages import Page

        for file in self._files.documentation_pages():
            if file.page is None and file.inclusion.is_not_in_nav():  # type: ignore[no-untyped-call]  # none in MkDocs
                Page(None, file, self._config)
            assert file.page is not None  # noqa: S101 - as MkDocs has it: every page is in the navigation or not
            self._pages.append(SitePage(file.page))
        if self._key is not None:
            for known in self._pages:
                self._find(known)
        missing = [known for known in self._pages if known.kept is None]
        self._steps = len(self._pages) - len(missing)
        rendered = self._render(missing)
        for known in self._pages:
            if known.kept is not None:
                self._restore(known, known.kept.head, None)
            elif (made := rendered.get(id(known))) and made.head is not None:
                self._restore(known, made.head, made.body)
            else:
                self._render_here(known)

    def _find(self, known: SitePage) -> None:
        known.key = self._sources.key(known.page)
        kept = self._kept.pages.get(known.page.file.src_uri)
        if kept and kept.key == known.key and self._sources.hold(kept.head.dependencies):
            known.kept = kept

    def _render(self, missing: Sequence[SitePage]) -> dict[int, Rendered]:
        """Render pages in children, as far as that goes."""
        if self._workers < 2 or len(missing) < 2 * self._workers:
            return {}
        from mkdocs.structure.toc import TableOfContents

        def work(index: int) -> bytes:
            with silent_log():
                page = missing[index].page
                answer = to_bytes(render(page, self._config, self._files, self._sources))
            # Here nobody asks for it again, and this process has others to render.
            page.content, page.markdown, page.toc = "", "", TableOfContents([])
            return answer

        # Which page failed, and how, is told by rendering them one after the other.
        with contextlib.suppress(WorkerFailed, OSError):
            answers = in_parallel(
                len(missing), work, read=from_bytes, workers=self._workers, contiguous=False, done=self._step
            )
            return {id(known): answer for known, answer in zip(missing, answers, strict=True)}
        return {}

    def _restore(self, known: SitePage, head: Head, body: bytes | None) -> None:
        # Plugins look at every page before it is rendered, and monorepo gives it its address for edits.
        page = self._config.plugins.on_pre_page(known.page, config=self._config, files=self._files)
        head.restore(page, self._files)
        known.head, known.body = head, body
        say_again(head.messages)

    def _render_here(self, known: SitePage) -> None:
        if self._key is None:
            from mkdocs.commands import build

            build._populate_page(known.page, self._config, self._files, dirty=False)
            return
        rendered = render(known.page, self._config, self._files, self._sources)
        if rendered.head is not None:
            known.head, known.body = rendered.head, rendered.body
            known.page.content = ""
        self._step()

    # Second half: files.

    def begin_writing(self, env: jinja2.Environment, nav: Navigation) -> None:
        """Find out which files are what they were."""
        self._env = env
        self._nav = nav
        if self._key is None:
            return
        share_navigation(env)
        navigation = navigation_key(nav)
        places = Counter(known.page.file.dest_uri for known in self._pages)
        for known in self._pages:
            if known.head is None:
                continue
            if self._search:
                known.entries_key = self._search.key(known.page, known.head.body)
            place = known.page.file.dest_uri
            if places[place] > 1 or not can_be_named(place):
                # Of two pages with one place, a.md and a/index.md, the site has the one that was written last.
                continue
            known.output = output_key(known.page, known.head, configuration=self._key, navigation=navigation)
            kept = known.kept
            known.is_reused = kept is not None and kept.output == known.output and kept.entries_key == known.entries_key
            self._reused += known.is_reused

    def copy_assets(self) -> None:
        """Copy the files that are no pages."""
        reused = {known.page.file.dest_uri for known in self._pages if known.is_reused}
        later = {known.page.file.dest_uri for known in self._pages}
        later.update(
            map(str, self._config.theme.static_templates), ["sitemap.xml.gz"], places_written_last(self._config)
        )
        self._assets.copy(self._files, reused_pages=reused, written_later=later)

    def write(self) -> None:
        """Write the pages that changed. Raises what MkDocs and plugins raise."""
        for known in self._pages:
            if known.is_reused:
                # An asset or a template has the same place, and is written before pages are.
                Path(known.page.file.abs_dest_path).unlink(missing_ok=True)
                self._step()
        answers = self._write_in_children([known for known in self._pages if not known.is_reused])
        for known in self._pages:
            if known.is_reused and known.kept:
                known.entries = self._kept.entries(known.kept)
            elif answer := answers.get(id(known)):
                say_again(answer.messages)
                self._note_written(known, answer)
            else:
                self._write_here(known)
            if self._search:
                self._search.add(known.entries)

    def _write_in_children(self, changed: Sequence[SitePage]) -> dict[int, Written]:
        if self._key is None or self._workers < 2 or len(changed) < 2 * self._workers:
            return {}

        def work(index: int) -> bytes:
            with silent_log():
                return self._written(changed[index]).to_bytes()

        with contextlib.suppress(WorkerFailed, OSError):
            answers = in_parallel(
                len(changed), work, read=Written.from_bytes, workers=self._workers, contiguous=True, done=self._step
            )
            return {id(known): answer for known, answer in zip(changed, answers, strict=True)}
        return {}

    def _write_here(self, known: SitePage) -> None:
        self._note_written(known, self._written(known))
        self._step()

    def _written(self, known: SitePage) -> Written:
        with tapped_log() as messages:
            self._build(known)
        written = Written(tuple(messages), self._sizes_of(known), self._entries(known))
        if known.head is not None:
            # Its body is there to be restored again. Held here, the HTML of all pages would be in memory at the end.
            known.page.content = ""
        return written

    @staticmethod
    def _sizes_of(known: SitePage) -> tuple[int, int]:
        """Return the sizes of a page's file, 0 when it has none, and of its own content."""
        with contextlib.suppress(FileNotFoundError):
            return Path(known.page.file.abs_dest_path).stat().st_size, len(known.page.content or "")
        return 0, 0

    def _note_written(self, known: SitePage, written: Written) -> None:
        known.entries = written.entries
        size, body = written.sizes
        self._sizes.add(size, body=body)
        if written.messages or not size:
            # What is said while a page is written is said again only by writing it again.
            known.output = ""

    def _build(self, known: SitePage) -> None:
        from mkdocs.commands import build

        if known.head is not None:
            Body.from_bytes(self._body(known)).restore(known.page)
        pages = self._files.documentation_pages()
        build._build_page(known.page, self._config, pages, self._nav, self._env, dirty=False)

    def _entries(self, known: SitePage) -> bytes:
        if self._search is None:
            return b""
        kept = known.kept
        if kept is not None and kept.entries_key == known.entries_key:
            return self._kept.entries(kept)
        return self._search.part(known.page)

    # The end.

    def finish(self, target: Path | None) -> None:
        """Say what was reused, and leave what the next build needs."""
        last = places_written_last(self._config)
        pages = {known.page.file.dest_uri for known in self._pages if known.is_reused and known.output}
        site = self._config.site_dir
        paths = sorted(place for place in pages | self._assets.reused if not os.path.lexists(os.path.join(site, place)))  # noqa: PTH118
        self._report.reused(paths)
        total = len(self._pages)
        self._sizes.warn(total)
        self._report.progress(done=total, reused=self._reused, total=total)
        if target is None or self._key is None:
            return
        with StateWriter.into(target) as state:
            for known in self._pages:
                if known.head is not None:
                    self._keep(state, known, is_final=known.page.file.dest_uri not in last)
            state.finish(identity=self._identity, assets=self._assets.keys)

    def _keep(self, state: StateWriter, known: SitePage, *, is_final: bool) -> None:
        assert known.head is not None  # noqa: S101 - for the type checker: the caller looked
        state.add(
            known.page.file.src_uri,
            key=known.key,
            head=known.head,
            body=self._body(known),
            output=known.output if is_final else "",
            entries_key=known.entries_key,
            entries=known.entries,
        )

    def _body(self, known: SitePage) -> bytes:
        if known.body is not None:
            return known.body
        assert known.kept is not None  # noqa: S101 - a page is rendered or kept
        return self._kept.body(known.kept)

    def _step(self) -> None:
        # Each page takes two steps. What failed in a child is done again here.
        self._steps += 1
        if self._steps % _STEPS_PER_REPORT == 0:
            total = len(self._pages)
            self._report.progress(done=min(self._steps // 2, total), reused=self._reused, total=total)
