"""What isolation was asked for and what of it holds on this machine."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from techdocs_server.sandbox.isolation.plan import Layer


class Guarantee(enum.StrEnum):
    """Something that a build cannot do, tried out."""

    NETWORK = "no network"
    """Nothing answers over TCP, UDP or a socket of this machine, by whatever name."""
    SECRETS = "no secrets"
    """No file of the server or of another build, and no environment, can be read."""
    WRITES = "no writes outside"
    """Nothing but the folders of the build can be made, emptied or changed."""
    SOURCE = "read-only source"
    """The tree stays what it was. It is a copy for this build alone all the same."""
    PROCESSES = "no reach to other processes"
    """No process outside the build can be signalled, read, traced or limited."""
    LIMITS = "limits"
    """Memory, processor time, file size, open files and processes end at a bound."""
    LEFTOVERS = "nothing left behind"
    """What the build started ends with it."""


REQUIRED = frozenset(Guarantee) - {Guarantee.SOURCE}
"""What must hold where isolation is required."""


@dataclass(frozen=True, slots=True)
class IsolationLevel:
    """What really holds.

    ``layers`` took effect. ``reached`` names, for each guarantee that does not
    hold, what was tried and not stopped. ``absent`` says why a layer that was
    asked for took no effect.
    """

    layers: frozenset[Layer]
    reached: Mapping[Guarantee, tuple[str, ...]] = field(default_factory=dict)
    absent: Mapping[Layer, str] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Guarantee]:
        """Required guarantees that do not hold."""
        return REQUIRED & self.reached.keys()

    @property
    def text(self) -> str:
        """The level in one line, such as ``landlock+seccomp+rlimits``, and what does not hold."""
        layers = "+".join(layer for layer in Layer if layer in self.layers) or "none"
        without = ", ".join(guarantee for guarantee in Guarantee if guarantee in self.reached)
        return f"{layers} (does not hold: {without})" if without else layers
