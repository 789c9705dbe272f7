from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.rewriting import Rewriter


@pytest.fixture
def rewriter(tmp_path: Path) -> Rewriter:
    return Rewriter(tmp_path)
