"""The demonstration: this project's own manual, built and served by this project."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENTITY = "default/component/techdocs-service"
START_SECONDS = 60
COMMAND_SECONDS = 120


@dataclass(frozen=True)
class Example:
    """A command to paste, what it shows, and what its output must have in it."""

    shows: str
    command: str
    expected: str


def examples(rest: str, grpc: str) -> list[Example]:
    """Return the commands for these addresses."""
    grpcurl = f"{Path(sys.executable).parent.relative_to(ROOT)}/grpcurl -plaintext"
    entity = '\'{"entity": {"kind": "component", "name": "techdocs-service"}}\''
    return [
        Example("a page", f"curl -sS {rest}/docs/{ENTITY}/", "</html>"),
        Example("what the build says of the site", f"curl -sS {rest}/metadata/techdocs/{ENTITY}", '"site_name"'),
        Example(
            "what the catalog says of the entity", f"curl -sS {rest}/metadata/entity/{ENTITY}", '"locationMetadata"'
        ),
        Example("a sync that waits", f"curl -sS -X POST {rest}/sync/{ENTITY}", '"message"'),
        Example("a sync as a stream of events", f"curl -sS -N {rest}/sync/{ENTITY}", "event: finish"),
        Example("the services over gRPC", f"{grpcurl} {grpc} list", "techdocs.v1.DocsService"),
        Example(
            "a method described",
            f"{grpcurl} {grpc} describe techdocs.v1.DocsService.GetContent",
            "GetContentRequest",
        ),
        Example(
            "the site's metadata over gRPC",
            f"{grpcurl} -d {entity} {grpc} techdocs.v1.DocsService/GetSiteMetadata",
            "site_name",
        ),
        Example(
            "the site's revisions over gRPC",
            f"{grpcurl} -d {entity} {grpc} techdocs.v1.SiteService/ListRevisions",
            "revisions",
        ),
    ]


def address(preferred: int) -> str:
    """Return a loopback address with the preferred port, or with a free one where that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def service(rest: str, grpc: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``techdocs serve`` on the manual and stop it at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TECHDOCS_")}
    environment |= {
        "TECHDOCS_CATALOG": "catalog-info.yaml",
        "TECHDOCS_DATA_DIRECTORY": ".techdocs",
        "TECHDOCS_SERVER_LISTEN": grpc,
        "TECHDOCS_BRIDGE_LISTEN": rest,
        "TECHDOCS_LOG_LEVEL": "warning",
    }
    command = [str(Path(sys.executable).parent / "techdocs"), "serve"]
    # A session of its own: Ctrl-C reaches only this script, which then stops the service in order.
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_until_up(process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_up(process: subprocess.Popen[str]) -> None:
    """Wait for the line that says REST is there."""
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("techdocs bridge: REST on"):
            return
    sys.exit("the service did not start; its message is above")


def run(example: Example) -> None:
    """Run one command as a person would paste it. Exits when it does not show what it should."""
    done = subprocess.run(
        ["bash", "-c", example.command], cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode != 0 or example.expected not in done.stdout:
        sys.exit(f"NOT AS SHOWN: {example.command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    print(f"ok: {example.shows}")


def build(rest: str) -> None:
    """Build the manual, or find that it is current, and show the log of it."""
    print("==> building the manual", flush=True)
    done = subprocess.run(["bash", "-c", f"curl -sS -N {rest}/sync/{ENTITY}"], timeout=COMMAND_SECONDS * 5, check=False)
    if done.returncode != 0:
        sys.exit("the manual could not be built")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="run every command that is shown, then exit")
    check = parser.parse_args().check
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    grpc_address, rest_address = address(7070), address(7071)
    rest = f"http://{rest_address}/api/techdocs"
    shown = examples(rest, grpc_address)
    with service(rest_address, grpc_address) as process:
        build(rest)
        if check:
            for example in shown:
                run(example)
            print("demo: every command answers as shown")
            return
        print("\n==> the manual is served; try, from this folder:\n")
        for example in shown:
            print(f"# {example.shows}\n{example.command}\n")
        print(f"# in a browser\nhttp://{rest_address}/docs/{ENTITY}/\n\nCtrl-C stops the service.", flush=True)
        try:
            process.wait()
            sys.exit("the service stopped by itself; its message is above")
        except KeyboardInterrupt:
            print("\nstopping", flush=True)


if __name__ == "__main__":
    main()
