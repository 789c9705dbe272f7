"""What a line of log may hold."""

from __future__ import annotations

import subprocess
import sys

import pytest

_FAILS = """
import logging
from techdocs_server.telemetry.logging import configure_logging

configure_logging(level="info", log_format="{form}")


def connect(password):
    settings = {{"s3_secret_key": password}}
    raise OSError("no answer from the store")


try:
    connect("swordfish"[::-1] * 2)
except OSError:
    logging.getLogger("techdocs").exception("it_failed")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_traceback_shows_where_and_no_value_of_a_variable(form: str) -> None:
    # A process of its own: the records of this one are pytest's.
    done = subprocess.run(
        [sys.executable, "-c", _FAILS.format(form=form)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "it_failed" in done.stderr
    assert "in connect" in done.stderr
    assert "OSError: no answer from the store" in done.stderr
    assert "hsifdrows" not in done.stderr
