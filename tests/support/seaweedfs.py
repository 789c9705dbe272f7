"""A real S3 server on loopback: SeaweedFS, from its wheel."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException

ACCESS_KEY, SECRET_KEY = "tests", "tests-and-nothing-else"
BUCKET = "techdocs"
MOST_VOLUMES, VOLUME_MEGABYTES = 50, 64
ALL_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")
START_SECONDS = 60.0
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc", "metricsPort")  # fmt: skip


@dataclass
class SeaweedFS:
    """A running server. ``endpoint`` is a URL, as is ``metrics``, where it counts what it does."""

    folder: Path
    arguments: list[str]
    endpoint: str
    metrics: str
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> Minio:
        """A client of the tests' own."""
        address = self.endpoint.removeprefix("http://")
        return Minio(address, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False)

    def stop(self) -> None:
        """End it at once. What it was given stays."""
        # Asked to stop it takes half a minute.
        self.process.kill()
        self.process.wait()

    def start_again(self, *, most_volumes: int = MOST_VOLUMES, volume_megabytes: int = VOLUME_MEGABYTES) -> None:
        """Start it where it was. With little room it is soon full, and has room again when it is started as usual."""
        sizes = {"-volume.max": most_volumes, "-master.volumeSizeLimitMB": volume_megabytes}
        changed = {name: f"{name}={size}" for name, size in sizes.items()}
        self.arguments = [changed.get(argument.partition("=")[0], argument) for argument in self.arguments]
        self.process = _start(self.folder, self.arguments)
        _await(self, self.client.list_buckets)

    def permit(self, *actions: str, access_key: str = ACCESS_KEY) -> None:
        """Let a key do these actions, and no other key anything. Holds a moment after this returned."""
        _write_identity(self.folder, actions, access_key)
        self.process.send_signal(signal.SIGHUP)

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its name."""
        self.client.make_bucket(name)
        return name


@contextmanager
def seaweedfs(folder: Path, *, volumes: int = 50) -> Iterator[SeaweedFS]:
    """Run a server with its data in a folder until the context ends. It holds ``volumes`` times 64 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_identity(folder, ALL_ACTIONS, ACCESS_KEY)
    (folder / "data").mkdir(exist_ok=True)
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    arguments = [
        str(Path(sys.executable).with_name("weed")), "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-dir={folder / 'data'}", "-s3", f"-s3.config={folder / 's3.json'}", "-master.telemetry=false",
        f"-volume.max={volumes}", f"-master.volumeSizeLimitMB={VOLUME_MEGABYTES}", f"-filer.localSocket={folder / 'f.sock'}",
        f"-s3.localSocket={folder / 's.sock'}", "-s3.port.iceberg=0", "-s3.port.lance=0", *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    endpoint, metrics = (f"http://127.0.0.1:{ports[name]}" for name in ("s3.port", "metricsPort"))
    server = SeaweedFS(folder, arguments, endpoint, f"{metrics}/metrics", _start(folder, arguments))
    try:
        _await(server, lambda: _probe(server))
        yield server
    finally:
        server.stop()


def _write_identity(folder: Path, actions: Sequence[str], access_key: str) -> None:
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": access_key, "secretKey": SECRET_KEY}],
        "actions": list(actions),
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))


def _start(folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "weed.log").open("ab") as log:
        return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)


def _probe(server: SeaweedFS) -> None:
    probe = f"probe-{time.time_ns()}"
    server.client.make_bucket(probe)
    server.client.remove_bucket(probe)


def _await(server: SeaweedFS, probe: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            probe()
            return
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            log = (server.folder / "weed.log").read_text("utf-8", "replace")[-4000:]
            assert server.process.poll() is None, f"the S3 server ended; its log:\n{log}"
            if time.monotonic() > deadline:
                raise AssertionError(f"the S3 server did not come up ({error}); its log:\n{log}") from error
            time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
