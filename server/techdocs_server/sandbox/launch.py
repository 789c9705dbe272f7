"""How a child process of the build toolchain is started: its command line and its environment.

The child gets nothing of the server but what stands here. What it may do once it
runs is in `isolation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

# The folder that holds the package this module is part of.
ROOT = Path(__file__).resolve().parents[2]

# I: no PYTHON* variables, no user site, no current folder on sys.path. B: a hook inside docs/ must not leave
# bytecode there, which MkDocs would publish. u: prints keep their place between our records.
_FLAGS = ("-I", "-B", "-u", "-X", "utf8")

DEFAULT_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"


def command(python: Path, module: str, *arguments: str) -> Sequence[str]:
    """Return the command line that runs ``main()`` of a module of this package with an interpreter.

    The interpreter may be of an environment that knows nothing of us: our folder
    comes last on its sys.path, behind the toolchain's own, and only while our
    modules are imported, so that the build finds no package of ours in place of
    one that its toolchain lacks. ``arguments`` are sys.argv from 1 on.
    """
    program = (
        f"import sys; sys.path.append({str(ROOT)!r}); "
        f"from techdocs_server.sandbox.{module} import main; "
        "sys.path.pop(); main()"
    )
    return (str(python), *_FLAGS, "-c", program, *arguments)


# By itself Java takes a share of the machine's memory and as many threads as it has processors: more than a build may.
_JAVA = {"JAVA_TOOL_OPTIONS": "-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"}


def environment(
    python: Path, *, private_directory: Path, search_path: str = DEFAULT_SEARCH_PATH, programs: bool = False
) -> Mapping[str, str]:
    """Return the whole environment of a child.

    Its HOME and TMPDIR are ``private_directory``, which the caller makes and
    removes. The interpreter's own folder comes first on PATH: plugins call
    commands that were installed with them. With ``programs`` it has what those of
    this machine need to keep to the bounds of a build.
    """
    return {
        "PATH": f"{python.parent}:{search_path}",
        "LANG": "C.UTF-8",
        "HOME": str(private_directory),
        "TMPDIR": str(private_directory),
        # The theme and the redirects plugin otherwise print notices about the future of MkDocs into the log of builds.
        "NO_MKDOCS_2_WARNING": "true",
        "DISABLE_MKDOCS_2_WARNING": "true",
        **(_JAVA if programs else {}),
    }
