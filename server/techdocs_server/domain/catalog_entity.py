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
class KnownProblem:
    """Why an entity has no source, as Backstage's own backend says it, for clients that show or look for those words.

    ``cause_name`` and ``cause_message`` are the error that makes it refuse the
    entity's metadata, ``sync_message`` is what ends a sync.
    """

    cause_name: str
    cause_message: str
    sync_message: str

    @property
    def metadata(self) -> dict[str, str]:
        """The same as details of an error."""
        return {
            "cause_name": self.cause_name,
            "cause_message": self.cause_message,
            "sync_message": self.sync_message,
        }


@dataclass(frozen=True, slots=True)
class CatalogEntity:
    """An entity as the catalog gives it.

    ``document`` is its JSON object as the API returns it. ``source`` is None
    when there is nothing to build, and then ``source_problem`` says why, in
    words for the entity's owner. ``known_problem`` is set when the annotation is
    missing or means nothing anywhere, and not when it is only this server that
    cannot build what it names.
    """

    ref: EntityRef
    document: Mapping[str, object]
    title: str
    description: str
    owner: str
    techdocs_ref: str
    source: SourceRef | None
    source_problem: str = ""
    known_problem: KnownProblem | None = None

    @property
    def uid(self) -> str:
        """Id given by the catalog, or empty."""
        metadata = self.document.get("metadata")
        uid = metadata.get("uid") if isinstance(metadata, Mapping) else None
        return uid if isinstance(uid, str) else ""
