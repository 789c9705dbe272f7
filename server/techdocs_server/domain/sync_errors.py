"""Errors of what cannot be built at all. See `errors` for the tree."""

from __future__ import annotations

from collections.abc import Mapping

from techdocs_server.domain.errors import Conflict, EntityNotFound


class EntityWithoutUID(EntityNotFound):
    """The catalog gives the entity no id, so it is not one that it keeps."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref, f"the catalog gives {ref} no metadata.uid, so it cannot be synced")


class NoDocsSource(Conflict):
    """The entity names no documentation source that this server builds.

    ``details`` are what Backstage's clients know the problem as (`KnownProblem`).
    """

    reason = "NO_DOCS_SOURCE"

    def __init__(self, ref: str, problem: str, *, details: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{ref} has no documentation source: {problem}", metadata={"entity": ref, **(details or {})})


class BuilderDisabled(Conflict):
    """This server builds nothing."""

    reason = "BUILDER_DISABLED"

    def __init__(self) -> None:
        super().__init__("this server builds no documentation (builder is external); publish the site to it instead")
