"""What can be wrong with a publish from outside. The tree that they belong to is drawn in ``errors``."""

from __future__ import annotations

from techdocs_server.domain.errors import Conflict, InvalidArgument


class StreamOrderInvalid(InvalidArgument):
    """The messages of a publish are not in the order of the contract."""

    reason = "STREAM_ORDER_INVALID"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the stream is out of order: {problem}")


class ManifestRefused(InvalidArgument):
    """The files of a publish are not those of a site."""

    reason = "MANIFEST_INVALID"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the manifest is not one of a site: {problem}")


class SentBytesMismatch(InvalidArgument):
    """Bytes that a caller sent are not those of the digest it gave."""

    reason = "DIGEST_MISMATCH"

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the bytes sent for {sha256} are others; the file may have changed meanwhile", metadata={"sha256": sha256}
        )


class PublishDisabled(Conflict):
    """This server takes no sites that were built elsewhere."""

    reason = "PUBLISH_DISABLED"

    def __init__(self) -> None:
        super().__init__("this server takes no sites that were built elsewhere; the operator sets publish_enabled")


class BlobsMissing(Conflict):
    """Files of a publish were neither sent nor stored for its entity before."""

    reason = "BLOBS_MISSING"

    def __init__(self, ref: str, count: int) -> None:
        super().__init__(
            f"{count} contents of the manifest were neither sent nor stored for {ref} before; ask which are missing, "
            "and publish again",
            metadata={"entity": ref, "count": str(count)},
        )
