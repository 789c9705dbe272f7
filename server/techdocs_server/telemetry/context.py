"""Ids that follow a call through the code."""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request being served, or empty outside of one."""

caller: ContextVar[str] = ContextVar("caller", default="system")
"""Who made the request being served, as the audit names it; ``system`` outside of one."""
