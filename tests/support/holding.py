"""A build toolchain with a MkDocs plugin that waits for as long as a test wants."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.sites import write_files

# A plugin of the toolchain is the operator's code: no author's file can make a build wait. It reads the gate beside
# itself, because that is all a build sees of this machine, and says that it waits where a build may write.
_PLUGIN = """\
import pathlib, time
from mkdocs.config import config_options
from mkdocs.plugins import BasePlugin

GATES = pathlib.Path(__file__).parent / "hold_gates"

class Hold(BasePlugin):
    config_scheme = (("gate", config_options.Type(str)),)

    def on_pre_build(self, config):
        gate = GATES / self.config["gate"]
        if gate.exists():
            said = pathlib.Path(config["site_dir"], "held")
            said.parent.mkdir(exist_ok=True)
            said.touch()
        while gate.exists():
            time.sleep(0.02)
"""
_METADATA = "Metadata-Version: 2.1\nName: hold-builds\nVersion: 1\n"
_ENTRY_POINTS = "[mkdocs.plugins]\nhold = hold_builds:Hold\n"


class HoldingToolchain:
    """A virtual environment over the one that runs the tests, whose builds wait while the file ``gate`` exists.

    Only builds wait that name the plugin, see `plugins`.
    """

    def __init__(self, folder: Path) -> None:
        """Make the environment in a folder that does not exist yet."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = folder / "lib" / version / "site-packages"
        below = "\n".join(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))
        write_files(
            packages,
            {
                "below.pth": f"{below}\n",
                "hold_builds.py": _PLUGIN,
                "hold_builds-1.dist-info/METADATA": _METADATA,
                "hold_builds-1.dist-info/entry_points.txt": _ENTRY_POINTS,
            },
        )
        # Not among the packages: where those change, the toolchain does.
        gates = packages / "hold_gates"
        gates.mkdir()
        self.gate = gates / "gate"

    @property
    def settings(self) -> Mapping[str, object]:
        """Settings of a server that builds with it."""
        return {"build_python": self.python, "build_allowed_plugins": {"hold": ["gate"]}}


def holding_plugins(gate: Path) -> Sequence[object]:
    """Return the plugins of a site whose builds wait while the gate of a `HoldingToolchain` exists."""
    return ["techdocs-core", {"hold": {"gate": gate.name}}]


def says_held(workspaces: Path) -> bool:
    """Whether a build waits, in the server whose workspaces these are."""
    # Two levels down at most: a folder of a build, and the site in it. Folders may go while we look.
    try:
        return any(workspaces.glob("*/held")) or any(workspaces.glob("*/*/held"))
    except FileNotFoundError:
        return False
