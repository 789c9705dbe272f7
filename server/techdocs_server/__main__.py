"""Entry point of the ``techdocs`` command, also as ``python -m techdocs_server``."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command."""
    # We start children by exec only. gRPC's handlers for bare forks would do nothing but print a line per build.
    # It reads this when it is imported, so it is set before anything of ours is.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from techdocs_server.cli import main as command

    command()


if __name__ == "__main__":
    main()
