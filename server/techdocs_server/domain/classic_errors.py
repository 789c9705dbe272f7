"""What can happen to files that others may replace."""

from __future__ import annotations

from techdocs_server.domain.errors import StorageUnavailable


class ContentReplaced(StorageUnavailable):
    """A file that others may replace at any time was replaced between looking for it and reading it. Look again."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path!r} was replaced while it was read; read it again")
