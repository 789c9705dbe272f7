"""Documentation sources that tests make, and what plain MkDocs makes of them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.sites import PIXEL_PNG, RICH_PAGES, files_below, mkdocs_config

MKDOCS_SECONDS = 120.0
MARKED_PAGES = 10

_CHAPTER = """\
# Chapter {number}

Text of chapter {number} with `code`, *emphasis* and [the next one](chapter-{following}.md).

!!! warning "Mind {number}"
    - one
    - two

    ```sh
    run --times {number}
    ```

| key | value |
|-----|------:|
| n   | {number} |
| ü   | größer |

??? note "More"
    Hidden text, H~2~O and x^2^, :rocket:

![pixel](images/pixel.png){{ width=16 }}
"""


def marked_pages(mark: str) -> dict[str, str]:
    """Return ten pages and an asset that all carry one mark, as the search index then does too."""
    pages = {f"docs/page{number}.md": f"# Page {number}\n\nThis is {mark}.\n" for number in range(1, MARKED_PAGES)}
    return {"docs/index.md": f"# Front\n\nThis is {mark}.\n", **pages, "docs/assets/mark.txt": f"{mark}\n"}


def flat_site() -> dict[str, str | bytes]:
    """Return twenty pages and more: code, tables, admonitions, images, names beyond ASCII, nested sections."""
    chapters = {
        f"docs/chapter-{number}.md": _CHAPTER.format(number=number, following=(number + 1) % 16) for number in range(16)
    }
    return {
        "mkdocs.yml": mkdocs_config("Große Übersicht", site_description="Alles über 文档"),
        **RICH_PAGES,
        **chapters,
        "docs/images/pixel.png": PIXEL_PNG,
        "docs/größe/seite eins.md": "# Größe\n\n[zurück](../index.md)\n",
        "docs/größe/文档.md": "# 文档\n\n!!! tip\n    内容\n",
        "docs/größe/deep/er/index.md": "# Deep\n\n[Chapter 3](../../../chapter-3.md#chapter-3)\n",
        "docs/files/100%+a&b.txt": "a name with signs\n",
        "docs/files/empty.txt": "",
        "docs/files/.hidden": "MkDocs leaves it out\n",
        "docs/files/CAPS.JSON": '{"a": [1, 2]}\n',
    }


async def mkdocs_build(source: Path, output: Path) -> Mapping[str, bytes]:
    """Build a source in its folder as its author would, and return every file of the site by its path."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--site-dir",
        str(output),
        cwd=source,
        # The build date of everybody else is today.
        env={name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(MKDOCS_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return files_below(output)
