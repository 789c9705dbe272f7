"""The system's Chromium, driven by playwright, and what a page told it: messages, failed requests, screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome")

# Names other than this machine's do not resolve, so that a run is the same with a network and without.
_LOOPBACK_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
_STEP_MILLISECONDS = 15_000

expect.set_options(timeout=_STEP_MILLISECONDS)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the system's Chromium. Skips the test where there is none; nothing is downloaded."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(_NAMES)} is installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found,
            # Chromium refuses to start sandboxed for root.
            chromium_sandbox=os.geteuid() != 0,
            args=[_LOOPBACK_ONLY],
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Tab:
    """One page of a profile of its own, and all it complained about. ``foreign`` are requests to other hosts."""

    page: Page
    origin: str
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    """URLs of answers that have come to their end."""

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)
        self.page.on("requestfinished", lambda request: self.finished.append(request.url))

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        where = self.failed if request.url.startswith(self.origin) else self.foreign
        where.append(f"{request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        self.answers[response.url] = response.status


@asynccontextmanager
async def tab(browser: Browser, origin: str, *, dark: bool = False) -> AsyncIterator[Tab]:
    """Open a blank page in a fresh profile."""
    context = await browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": 1400, "height": 900}
    )
    context.set_default_timeout(_STEP_MILLISECONDS)
    try:
        yield Tab(await context.new_page(), origin)
    finally:
        # A page may still ask for something that a test stands before.
        await context.unroute_all(behavior="ignoreErrors")
        await context.close()
