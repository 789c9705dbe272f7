"""From what MkDocs calls a page in its messages to the file that its author knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PAGE = re.compile(r"(?:[Dd]oc(?:umentation)? file|[Pp]age|reading file) '([^'\n]+)'")
# These are about the configuration, and name a page that is not there.
_CONFIG = re.compile(r"in the 'nav' configuration|^Redirect target |^redirects plugin: ")


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """Where pages come from: ``docs`` maps folders of the site to folders of the tree; ``config`` is the file built."""

    config: str
    docs: Mapping[str, str]

    def of_page(self, page: str) -> str:
        """Return the file of the tree for a page, given by its path in the site's documentation folder."""
        # The longest first: a site may be included below another one's name.
        for folder in sorted(self.docs, key=len, reverse=True):
            if folder and page.startswith(folder + "/"):
                return f"{self.docs[folder]}/{page.removeprefix(folder + '/')}"
        docs = self.docs.get("", "docs")
        return page if docs == "." else f"{docs}/{page}"

    def of_message(self, message: str) -> str:
        """Return the file that a message of MkDocs is about, or the empty text."""
        if _CONFIG.search(message):
            return self.config
        page = _PAGE.search(message)
        return self.of_page(page[1]) if page else ""
