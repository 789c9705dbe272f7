"""Fails when a module has grown past the size at which it holds more than one idea."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 400


def main() -> None:
    """Check every module of the server, the bridge and the tests."""
    modules = [path for top in ("server", "bridge", "tests", "benchmarks") for path in (ROOT / top).rglob("*.py")]
    sizes = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in modules}
    large = [
        f"{path}: {lines} lines, split it (most: {MOST_LINES})" for path, lines in sizes.items() if lines > MOST_LINES
    ]
    if large:
        sys.exit("\n".join(large))
    print(f"{len(sizes)} modules, the largest has {max(sizes.values())} lines")


if __name__ == "__main__":
    main()
