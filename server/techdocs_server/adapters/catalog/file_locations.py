"""Documentation of entities that Backstage's catalog has read from files."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

from techdocs_server.adapters.catalog.techdocs_source import LEADS_OUT, folder_source
from techdocs_server.adapters.catalog.url_source import NoSource, location_of
from techdocs_server.domain.catalog_entity import TECHDOCS_REF, KnownProblem, SourceRef
from techdocs_server.domain.entity import EntityRef


class FileLocations:
    """Finds the folders that ``dir:`` annotations of such entities name.

    A path in a catalog is what somebody registered, on whichever machine Backstage
    runs. It is taken for one of this machine only below ``root``, the folder that the
    operator names, and nowhere without it.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = None if root is None else root.resolve()

    @property
    def looks_at_the_disk(self) -> bool:
        """Whether `source` may block."""
        return self._root is not None

    def source(self, ref: EntityRef, annotations: Mapping[str, object], target: str, site_name: str) -> SourceRef:
        """Return the source of ``dir:<target>``. Raises `NoSource`."""
        location = location_of(annotations)
        if location is None:
            message = f"Entity '{ref}' is missing location"
            raise NoSource("the catalog does not say where it stands", known=KnownProblem("Error", message, message))
        if posixpath.isabs(target) or posixpath.normpath(target).split("/")[0] == "..":
            raise NoSource(f"{TECHDOCS_REF} 'dir:' leads out of the folder of the entity's file", known=LEADS_OUT)
        file = Path(location.target)
        if self._root is None or not file.is_absolute() or not file.parent.resolve().is_relative_to(self._root):
            raise NoSource(
                f"{TECHDOCS_REF} 'dir:' is relative to a file that is not below the folder this server may build from; "
                "the operator sets catalog_file_root, or the entity is registered by its URL",
                location=("dir", target),
            )
        return folder_source(target, folder=file.parent, root=self._root, site_name=site_name)
