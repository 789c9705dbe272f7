"""The events of one build, as far as they are or to its end."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc

from techdocs_server.client.retrying import Patience, repeated


def build_events(
    channel: grpc.Channel, name: str, *, follows: bool, patience: Patience
) -> Iterator[builds_pb2.BuildEvent]:
    """Yield the events of a build in order, each once.

    Ends with the last one there is now, or when it follows, with the end of the build.
    A connection that is lost is made again, and the events go on where they were.
    Raises `grpc.RpcError`.
    """
    stub = builds_pb2_grpc.BuildServiceStub(channel)
    request = builds_pb2.GetBuildRequest(name=name)
    build = repeated(lambda seconds: stub.GetBuild(request, timeout=seconds), patience).build
    last, seen = build.last_sequence, 0
    while follows or seen < last:
        watch = stub.WatchBuild(
            builds_pb2.WatchBuildRequest(name=name, after_sequence=seen), timeout=patience.remaining_seconds
        )
        try:
            for message in watch:
                if not message.HasField("event"):
                    continue
                patience.progressed()
                seen = message.event.sequence
                yield message.event
                if not follows and seen >= last:
                    return
            return
        except grpc.RpcError as error:
            patience.wait(error)
        finally:
            watch.cancel()
