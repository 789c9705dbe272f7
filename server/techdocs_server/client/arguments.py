"""What people type to name things: entities and revisions."""

from __future__ import annotations

import re

import click
from techdocs.v1 import entity_pb2

from techdocs_server.domain.entity import EntityRef

_REVISION = re.compile(r"[0-9a-f]{6,64}")


def entity_of(_context: click.Context, _parameter: click.Parameter, value: str | None) -> EntityRef | None:
    """Return the entity of an option or argument; None when it is not given."""
    return None if value is None else parse_entity(value)


def parse_entity(text: str) -> EntityRef:
    """Return the entity that ``NAMESPACE/KIND/NAME`` names. Raises `click.BadParameter`."""
    parts = text.split("/")
    if len(parts) != 3:
        raise click.BadParameter("must be NAMESPACE/KIND/NAME, for example default/component/docs")
    namespace, kind, name = parts
    try:
        return EntityRef.of(namespace=namespace, kind=kind, name=name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def revision_of(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return a revision, or the beginning of one, in lower case; None when it is not given."""
    if value is None:
        return None
    lowered = value.lower()
    if not _REVISION.fullmatch(lowered):
        raise click.BadParameter("must be a revision, or at least the first six of its hexadecimal digits")
    return lowered


def entity_message(entity: EntityRef) -> entity_pb2.EntityRef:
    """Return the message of an entity."""
    return entity_pb2.EntityRef(namespace=entity.namespace, kind=entity.kind, name=entity.name)


def entity_text(message: entity_pb2.EntityRef) -> str:
    """Return an entity as `parse_entity` takes it."""
    return f"{message.namespace}/{message.kind}/{message.name}"
