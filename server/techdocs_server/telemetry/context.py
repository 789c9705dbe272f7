"""Ids that follow a call through the code."""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request being served, or empty outside of one."""
