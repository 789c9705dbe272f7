"""What holds for a zygote and for all that is forked from it, before each build isolates itself.

It is what is true of every build: no network, no other processes, no namespaces, no
devices or links, and no programs unless builds may start some. Which folders a
build reads and writes is known when there is one.
"""

from __future__ import annotations

from collections.abc import Collection

from techdocs_server.sandbox.isolation import landlock, privileges, seccomp
from techdocs_server.sandbox.isolation.plan import Layer
from techdocs_server.sandbox.isolation.system_calls import refusals_of_a_zygote


def confine(layers: Collection[Layer], *, programs: bool) -> None:
    """Do, for good, what these layers can. Raises `OSError` when the kernel refuses."""
    privileges.die_with_parent()
    privileges.forgo()
    if Layer.LANDLOCK in layers:
        # Every right of a build is named here: what this rule leaves out, no later one gives back.
        landlock.confine({"/": landlock.WRITE | (landlock.RUN if programs else landlock.READ)})
    if Layer.SECCOMP in layers:
        seccomp.install(refusals_of_a_zygote(programs=programs))
