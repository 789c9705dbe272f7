"""Hearing of what other processes commit to a PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from techdocs_server.adapters.records.notices import BUILD_CHANNEL, SITE_CHANNEL, told_site
from techdocs_server.domain.entity import EntityRef

_log = logging.getLogger(__name__)

APPLICATION_NAME = "techdocs feed"
"""What the database lists the feed's connection as."""
_CONNECT_SECONDS = 5
_PAUSE_SECONDS = 0.5
_ECHO_SECONDS = 2.0
"""How often the feed sends itself a notice, and how long it waits for one: a connection may die in silence."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What to call, on the event loop; none of them waits. ``lost`` and ``found`` come in turn, ``found`` first."""

    site: Callable[[EntityRef], None]
    build: Callable[[str], None]
    lost: Callable[[], None]
    """From here on notices may be missed."""
    found: Callable[[], None]
    """From here on every notice is heard; what was committed before may not have been."""


class PostgreSQLFeed:
    """Listens to the notices of `tell_of_build` and `tell_of_site`, its own process's included."""

    def __init__(self, conninfo: str, heard: Heard) -> None:
        self._conninfo = conninfo
        self._heard = heard
        self._echo = f"techdocs_echo_{uuid.uuid4().hex}"

    async def run(self) -> None:
        """Listen until cancelled, connecting again as often as it takes."""
        while True:
            is_found = False
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name=APPLICATION_NAME
                )
                async with connection:
                    for channel in (BUILD_CHANNEL, SITE_CHANNEL, self._echo):
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    is_found = True
                    self._heard.found()
                    await self._listen(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("feed_lost", extra={"problem": type(error).__name__})
            finally:
                if is_found:
                    self._heard.lost()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        """Hand notices on. Raises `TimeoutError` when not even the feed's own notice comes."""
        while True:
            async with asyncio.timeout(_ECHO_SECONDS):
                await connection.execute("SELECT pg_notify(%s, '')", (self._echo,))
            is_alive = False
            async for notice in connection.notifies(timeout=_ECHO_SECONDS):
                is_alive = True
                self._hand_on(notice.channel, notice.payload)
            if not is_alive:
                raise TimeoutError

    def _hand_on(self, channel: str, notice: str) -> None:
        if channel == BUILD_CHANNEL:
            self._heard.build(notice)
        elif channel == SITE_CHANNEL:
            try:
                self._heard.site(told_site(notice))
            except ValueError:
                _log.warning("feed_notice_unknown", extra={"channel": channel})
