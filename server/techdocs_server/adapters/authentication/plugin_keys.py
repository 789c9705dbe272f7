"""The key sets of plugins, found by the name that a token says it is of."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping

from techdocs_server.adapters.authentication.remote_keys import Fetch, RemoteKeys
from techdocs_server.domain.access_errors import AuthenticationUnavailable

MOST_PLUGINS = 128
NEW_PER_MINUTE = 60
_MINUTE = 60.0


class PluginAddresses:
    """Where plugins are: at an address of their own, or below the backend's."""

    def __init__(self, backend: str, own: Mapping[str, str]) -> None:
        self._backend = backend
        self._own = dict(own)

    def base(self, plugin: str) -> str:
        """Return the base address of a plugin, without a last slash."""
        return self._own.get(plugin) or f"{self._backend}/api/{plugin}"


class PluginKeys:
    """Key sets by plugin.

    Tokens that are not proven yet say which one to fetch, so both the number that is kept and the number of names
    that are looked for are bounded: whoever makes up names pushes out other made-up names first.
    """

    def __init__(
        self, addresses: PluginAddresses, fetch: Fetch, *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._addresses = addresses
        self._fetch = fetch
        self._seconds = seconds
        self._sets: OrderedDict[str, RemoteKeys] = OrderedDict()
        self._new: deque[float] = deque()

    def of(self, plugin: str) -> RemoteKeys:
        """Return the key set of a plugin; the name must have been checked to be one.

        Raises `AuthenticationUnavailable` when too many plugins are asked for that were not seen lately.
        """
        found = self._sets.get(plugin)
        if found is None:
            self._count(plugin)
            url = f"{self._addresses.base(plugin)}/.backstage/auth/v1/jwks.json"
            found = self._sets[plugin] = RemoteKeys(
                url, f"the plugin {plugin}", self._fetch, absent_is_empty=True, seconds=self._seconds
            )
            if len(self._sets) > MOST_PLUGINS:
                others = [name for name in self._sets if name != plugin]
                del self._sets[next((name for name in others if self._sets[name].is_empty), others[0])]
        return found

    def _count(self, plugin: str) -> None:
        now = self._seconds()
        while self._new and now - self._new[0] >= _MINUTE:
            self._new.popleft()
        if len(self._new) >= NEW_PER_MINUTE:
            raise AuthenticationUnavailable(f"the plugin {plugin}")
        self._new.append(now)
