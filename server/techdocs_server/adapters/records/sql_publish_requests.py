"""Publishes by request id, in a database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.schema import publish_requests
from techdocs_server.adapters.records.upserts import insert_if_absent
from techdocs_server.domain.errors import RequestIdReused
from techdocs_server.ports.publish_requests import REMEMBERED, EarlierPublish, PublishAnswer, PublishRequest


class SqlPublishRequests:
    """PublishRequests over a database that `upgrade` has brought up to date. No revision means no answer yet."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def begin(self, request: PublishRequest, *, now: datetime) -> EarlierPublish | None:
        """Remember a publish, or return what came of it."""
        return await self._database.write(_begin, request, now)

    async def finish(self, request: PublishRequest, answer: PublishAnswer) -> None:
        """Remember what came of a publish."""
        await self._database.write(_finish, request, answer)


def _begin(connection: Connection, request: PublishRequest, now: datetime) -> EarlierPublish | None:
    row = {
        "request_id": request.request_id,
        "fingerprint": request.fingerprint,
        "namespace": request.entity.namespace,
        "kind": request.entity.kind,
        "name": request.entity.name,
        "revision": "",
        "updated": False,
        "create_time": now,
    }
    connection.execute(delete(publish_requests).where(publish_requests.c.create_time < now - REMEMBERED))
    if insert_if_absent(connection, publish_requests, row):
        return None
    known = connection.execute(
        select(publish_requests).where(publish_requests.c.request_id == request.request_id)
    ).one()
    if known.fingerprint != request.fingerprint:
        raise RequestIdReused
    return EarlierPublish(PublishAnswer(known.revision, known.updated) if known.revision else None)


def _finish(connection: Connection, request: PublishRequest, answer: PublishAnswer) -> None:
    table = publish_requests
    connection.execute(
        update(table)
        .where(table.c.request_id == request.request_id, table.c.revision == "")
        .values(revision=answer.revision, updated=answer.updated)
    )
