"""What is enforced on one child process: made by its parent, handed over on the command line, obeyed at once."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

_MEBIBYTE = 1024 * 1024


class Layer(enum.StrEnum):
    """A mechanism of the kernel. Each is applied on its own, and none relies on another."""

    LANDLOCK = "landlock"
    """Which files are read, written and run; TCP, abstract sockets and signals where the kernel is new enough."""
    SECCOMP = "seccomp"
    """Which system calls exist: no sockets, no programs and no new processes unless these are allowed, no way to change files' owners."""
    RLIMITS = "rlimits"
    """How much memory, processor time, file size, open files and processes."""
    BUBBLEWRAP = "bubblewrap"
    """Namespaces of its own: no network, no other processes, no other files."""


ALL_LAYERS = frozenset(Layer)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one build.

    ``tasks`` counts processes and their threads. ``memory_bytes`` and
    ``processor_seconds`` are enforced by the kernel per process, and by the parent
    for all of them together. ``written_bytes`` and ``written_files`` bound
    each of the folders that may be written.
    """

    memory_bytes: int = 2048 * _MEBIBYTE
    tasks: int = 128
    processor_seconds: int = 600
    file_bytes: int = 512 * _MEBIBYTE
    open_files: int = 256
    written_bytes: int = 2048 * _MEBIBYTE
    written_files: int = 50_000


@dataclass(frozen=True, slots=True)
class IsolationPlan:
    """Folders and bounds of one child. All paths are absolute.

    ``tree`` is written in stage one only. ``readable`` are files and folders of the
    toolchain, and what else is read. With ``programs`` the child may start programs, those in
    ``readable``, and nothing it wrote itself. With more than one of ``workers`` it may fork.
    """

    layers: frozenset[Layer]
    tree: str
    writable: tuple[str, ...]
    readable: tuple[str, ...]
    programs: bool = False
    workers: int = 1
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> str:
        """Return the text that `from_json` understands."""
        return json.dumps({**dataclasses.asdict(self), "layers": sorted(self.layers)})

    @classmethod
    def from_json(cls, text: str) -> IsolationPlan:
        """Parse a plan. Raises `ValueError`, `KeyError` or `TypeError`."""
        document = json.loads(text)
        return cls(
            layers=frozenset(map(Layer, document["layers"])),
            tree=document["tree"],
            writable=_texts(document["writable"]),
            readable=_texts(document["readable"]),
            programs=bool(document["programs"]),
            workers=int(document["workers"]),
            limits=Limits(**document["limits"]),
        )


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, values))
