"""Names of plugins that tokens make up are bounded, and never push out those that are real."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.authentication.plugin_keys import (
    MOST_PLUGINS,
    NEW_PER_MINUTE,
    PluginAddresses,
    PluginKeys,
)
from techdocs_server.adapters.authentication.tokens import Token
from techdocs_server.adapters.authentication.verification_keys import VerificationKey, parse_key_set
from techdocs_server.domain.access_errors import AuthenticationUnavailable

from tests.support.token_issuers import Issuer, key_set

SEARCH = Issuer()


class Backend:
    """A backend on which only the plugin search has keys; remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.passed = 0.0
        addresses = PluginAddresses("http://backend", {"catalog": "http://other/catalog"})
        self.keys = PluginKeys(addresses, self.fetch, seconds=lambda: self.passed)

    async def fetch(self, url: str) -> tuple[VerificationKey, ...] | None:
        self.asked.append(url)
        return parse_key_set(key_set(SEARCH).content) if "/search/" in url else None

    async def knows(self, plugin: str) -> bool:
        token = Token.parse(SEARCH.sign({}, {"iat": 0}))
        assert token is not None
        return bool(await self.keys.of(plugin).candidates(token))


async def test_keys_are_at_the_plugin_below_the_backend_or_at_its_own_address() -> None:
    backend = Backend()
    assert await backend.knows("search")
    assert not await backend.knows("catalog")
    assert backend.asked == [
        "http://backend/api/search/.backstage/auth/v1/jwks.json",
        "http://other/catalog/.backstage/auth/v1/jwks.json",
    ]


async def test_made_up_names_are_looked_for_sixty_times_a_minute_at_most() -> None:
    backend = Backend()
    for number in range(NEW_PER_MINUTE):
        assert not await backend.knows(f"made-up-{number}")
    with pytest.raises(AuthenticationUnavailable):
        await backend.knows("one-more")
    assert len(backend.asked) == NEW_PER_MINUTE
    backend.passed += 60
    assert await backend.knows("search")


async def test_made_up_names_push_out_each_other_and_not_a_plugin() -> None:
    backend = Backend()
    assert await backend.knows("search")
    for number in range(2 * MOST_PLUGINS):
        backend.passed += 1.1
        await backend.knows(f"made-up-{number}")
    asked = len(backend.asked)
    assert await backend.knows("search")
    assert len(backend.asked) == asked
    assert len(backend.keys._sets) == MOST_PLUGINS
