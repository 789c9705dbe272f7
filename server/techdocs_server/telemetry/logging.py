"""Structured logs: a constant event, data as keys, ids from the context.

Modules log through the standard library (``_log.info("build_finished",
extra={...})``); structlog renders, as text for people or as JSON for machines.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Literal

import structlog

from techdocs_server.telemetry.context import request_id

LogFormat = Literal["text", "json"]


def configure_logging(*, level: str, log_format: LogFormat) -> None:
    """Send every log record of this process to standard error in one form."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
    ]
    renderer: structlog.types.Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer()
        shared.append(structlog.processors.format_exc_info)
    else:
        # Its own choice where rich is installed shows local variables, and so whatever secret one of them holds.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries that narrate what our own lines say already.
    for noisy in ("alembic", "uvicorn", "grpc", "asyncio", "httpcore", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _add_request_id(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    if current := request_id.get():
        event.setdefault("request_id", current)
    return event
