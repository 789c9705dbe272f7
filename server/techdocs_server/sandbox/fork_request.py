"""What goes over the socket between a server and its zygote: the one thing that both know.

The zygote says `READY` once. Each request is one packet, and with it come two
descriptors: where the build prints, and a socket of the build's own. On that one
the zygote tells the build's process id, then how it ended (the exit code, negative
for a signal). The dead child stays unreaped until the server answers `OVER`, so
that its number, which is that of its group, is nobody else's while the server
kills the group. When the child is reaped the zygote closes the build's socket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

READY = b"ready"
OVER = b"over"
MAX_REQUEST_BYTES = 160 * 1024
"""A packet must fit into a socket's buffer, which is 208 KiB on Linux."""
DESCRIPTORS = 2


@dataclass(frozen=True, slots=True)
class ForkRequest:
    """A build to fork: its plan and its job, see `IsolationPlan` and `build`, the whole environment, and the folder."""

    plan: str
    job: Mapping[str, object]
    environment: Mapping[str, str]
    directory: str

    def to_packet(self) -> bytes:
        """Return what `parse` understands. Raises `ValueError` when it is too large to send."""
        content = json.dumps(
            {
                "plan": self.plan,
                "job": dict(self.job),
                "environment": dict(self.environment),
                "directory": self.directory,
            }
        ).encode()
        if len(content) > MAX_REQUEST_BYTES:
            raise ValueError(f"the request is larger than {MAX_REQUEST_BYTES} bytes")
        return content

    @classmethod
    def parse(cls, packet: bytes) -> ForkRequest:
        """Read a packet. Raises `ValueError` or `KeyError`."""
        document = json.loads(packet)
        return cls(document["plan"], document["job"], document["environment"], document["directory"])
