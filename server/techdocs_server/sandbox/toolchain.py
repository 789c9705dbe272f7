"""What an interpreter's environment builds sites with, told by that interpreter itself."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata

_REQUIRED = ("mkdocs", "mkdocs-techdocs-core")
# Names as their authors write them; the order is the one people read.
_PACKAGES = (*_REQUIRED, "mkdocs-material", "Markdown")


def describe() -> Mapping[str, object]:
    """Return ``versions`` (of the packages that decide the output), ``missing`` (required ones) and ``folders``.

    ``folders`` maps each absolute folder of this interpreter to the name it has in logs.
    """
    versions = {name: found for name in _PACKAGES if (found := _version(name))}
    return {
        "versions": [f"{name} {version}" for name, version in versions.items()],
        "missing": [name for name in _REQUIRED if name not in versions],
        "folders": {
            **{folder: "site-packages" for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))},
            sysconfig.get_path("stdlib"): "python",
        },
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    """Print the description as JSON."""
    json.dump(describe(), sys.stdout)
