"""The order in which waiting builds run."""

from __future__ import annotations

from collections import OrderedDict

from techdocs_server.domain.build import Build, BuildTrigger


class WaitingLine:
    """Builds by trigger and owner: requests before refreshes, owners in turn, each owner's builds in order.

    So one owner with a hundred entities does not keep another one's only entity
    waiting for a hundred builds.
    """

    def __init__(self) -> None:
        self._owners: dict[BuildTrigger, OrderedDict[str, OrderedDict[str, Build]]] = {
            trigger: OrderedDict() for trigger in (BuildTrigger.REQUEST, BuildTrigger.REFRESH)
        }

    def __len__(self) -> int:
        return sum(len(builds) for owners in self._owners.values() for builds in owners.values())

    def __contains__(self, build_id: object) -> bool:
        return any(build_id in builds for owners in self._owners.values() for builds in owners.values())

    def add(self, build: Build, *, trigger: BuildTrigger | None = None) -> None:
        """Put a build at the end of its owner's line."""
        self._owners[trigger or build.trigger].setdefault(build.owner, OrderedDict())[build.id] = build

    def remove(self, build_id: str) -> Build | None:
        """Take a build out and return it; None when it does not wait."""
        for owners in self._owners.values():
            for owner, builds in owners.items():
                if build_id in builds:
                    build = builds.pop(build_id)
                    if not builds:
                        del owners[owner]
                    return build
        return None

    def next(self) -> Build | None:
        """Take out the build whose turn it is; None when nobody waits."""
        for owners in self._owners.values():
            if owners:
                owner, builds = owners.popitem(last=False)
                _, build = builds.popitem(last=False)
                if builds:
                    owners[owner] = builds  # to the end: the next turn is another owner's
                return build
        return None
