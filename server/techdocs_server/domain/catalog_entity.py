"""A catalog entity, and where its documentation is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from techdocs_server.domain.entity import EntityRef

TECHDOCS_REF = "backstage.io/techdocs-ref"


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A documentation source, resolved.

    ``type`` is ``dir`` (a folder of this machine) or ``url``. ``location`` is what
    the adapter of that type reads: an absolute path, or a URL without credentials;
    a path never leaves the server. ``display`` is the same for people.
    ``site_name`` names the site when the source has no mkdocs.yml.
    """

    type: str
    location: str
    display: str
    site_name: str


@dataclass(frozen=True, slots=True)
class CatalogEntity:
    """An entity as the catalog gives it.

    ``document`` is its JSON object as the API returns it. ``source`` is None
    when there is nothing to build, and then ``source_problem`` says why, in
    words for the entity's owner.
    """

    ref: EntityRef
    document: Mapping[str, object]
    title: str
    description: str
    owner: str
    techdocs_ref: str
    source: SourceRef | None
    source_problem: str = ""

    @property
    def uid(self) -> str:
        """Id given by the catalog, or empty."""
        metadata = self.document.get("metadata")
        return str(metadata.get("uid", "")) if isinstance(metadata, Mapping) else ""
