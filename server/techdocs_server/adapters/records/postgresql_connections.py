"""How connections to a PostgreSQL are set up."""

from __future__ import annotations

import psycopg
from sqlalchemy import Engine, event

# A database that says nothing is noticed in seconds (postgresql.org/docs/current/libpq-connect.html).
CONNECTION_OPTIONS: dict[str, object] = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "tcp_user_timeout": 15_000,
}

# A process that is paused between two statements holds its locks, and its machine answers for it that it lives. No
# transaction here waits for anything but the database, so one that is idle for so long has nobody behind it. Below the
# time after which a worker counts as lost: whoever takes its build up finds the locks free.
_IDLE_SECONDS = 10


def prepare_postgresql(engine: Engine) -> None:
    """Have the server end transactions whose process has stopped in the middle."""

    @event.listens_for(engine, "connect")
    def _bound(connection: psycopg.Connection[object], _record: object) -> None:
        # Not by the connection's `options`: those may be set in the URL already.
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        connection.commit()
