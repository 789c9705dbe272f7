"""The system's clock."""

from __future__ import annotations

import time
from datetime import UTC

from techdocs_server.adapters.clock import SystemClock


def test_time_is_now_and_in_utc() -> None:
    before = time.time()
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert before <= now.timestamp() <= time.time()
