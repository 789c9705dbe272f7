"""Who and what is behind a change."""

from __future__ import annotations

from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.telemetry.context import caller, request_id


def called(action: SiteAction) -> Cause:
    """Return the cause of what the request being served does."""
    return Cause(action, caller.get(), request_id.get())


def built(action: SiteAction, build: str) -> Cause:
    """Return the cause of what a build does, by its name."""
    return Cause(action, build=build)
