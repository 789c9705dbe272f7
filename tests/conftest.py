"""Options that tests have beside pytest's own."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reuse-examples",
        type=int,
        default=0,
        metavar="N",
        help="play N random scripts of edits, others each time, and shorten one that fails (default: a dozen known ones)",
    )
