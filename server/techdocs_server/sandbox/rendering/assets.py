"""The files of a site that are no pages: copied when they changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from techdocs_server.sandbox.rendering.populating import SourceDigests
from techdocs_server.sandbox.rendering.values import digest

if TYPE_CHECKING:
    from collections.abc import Collection

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import File, Files

_OF_TOOLCHAIN = "toolchain"


def can_be_named(place: str) -> bool:
    """Whether a path can be one of those that were reused: they are told one a line."""
    return "\n" not in place


class Assets:
    """Copies what has to be copied. ``kept`` are keys of the assets of the site that can be reused."""

    def __init__(self, config: MkDocsConfig, kept: dict[str, str], identity: str) -> None:
        self._docs = Path(config.docs_dir).absolute()
        self._kept = kept
        self._identity = identity
        self._digests = SourceDigests()
        self.keys: dict[str, str] = {}
        self.reused: set[str] = set()

    def copy(self, files: Files, *, reused_pages: Collection[str], written_later: Collection[str]) -> None:
        """Do what `Files.copy_static_files` does, but for what is in the site already.

        What is written later to the place of an asset wins, and the file that is
        there in the end says nothing of the asset: it is copied each time, in case nothing is written.
        """
        for file in files:
            if file.is_documentation_page() or not file.inclusion.is_included():  # type: ignore[no-untyped-call]  # MkDocs has no types here
                continue
            place = file.dest_uri
            if place in reused_pages:
                continue
            key = self._key(file) if place not in written_later and can_be_named(place) else ""
            if key:
                self.keys[place] = key
            if key and self._kept.get(place) == key:
                self.reused.add(place)
            else:
                file.copy_file(dirty=False)

    def _key(self, file: File) -> str:
        if file._content is not None or file.abs_src_path is None:
            return ""
        path = Path(file.abs_src_path)
        if path.is_relative_to(self._docs):
            return digest(self._digests.of(str(path)))
        # A file of the theme: whatever changes it changes the toolchain.
        return digest(_OF_TOOLCHAIN, self._identity, file.src_uri)
