"""A generator that reuses what it left, told by tests what to claim."""

from __future__ import annotations

import json

from techdocs_server.domain.build import BuildProgress
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest, LogSink, ProgressSink

from tests.support.pipeline import CopyingGenerator


class ReusingGenerator(CopyingGenerator):
    """Writes the pages that changed since the state it is given, and claims the others.

    ``claims`` are claimed besides, true or not; with ``leaves_nothing`` there is no state for the next build.
    """

    def __init__(self) -> None:
        super().__init__()
        self.claims: set[str] = set()
        self.leaves_nothing = False
        self.requests: list[GenerateRequest] = []

    async def generate(
        self, request: GenerateRequest, *, log: LogSink, progress: ProgressSink | None = None
    ) -> GeneratedSite:
        """See `SiteGenerator`."""
        self.requests.append(request)
        site = await super().generate(request, log=log, progress=progress)
        made = {path.relative_to(request.into).as_posix(): path.read_text() for path in request.into.rglob("*.html")}
        before = {} if request.reuse_from is None else json.loads((request.reuse_from / "index").read_text())
        reused = {path for path, text in made.items() if before.get(path) == text}
        for path in reused:
            (request.into / path).unlink()
        if request.reuse_into is not None and not self.leaves_nothing:
            (request.reuse_into / "index").write_text(json.dumps(made))
        pages = BuildProgress(len(made), len(reused), len(made))
        if progress is not None:
            progress(pages)
        return GeneratedSite(
            site.site_name,
            site.site_description,
            reused=frozenset(reused | self.claims),
            pages=pages,
            full_build_reason="" if request.reuse_from else "no earlier build left anything to reuse",
        )
