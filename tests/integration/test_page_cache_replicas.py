"""Pages that the bridge keeps, before two servers that share their stores."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.support.cached_pages import number_of, page_url, publish
from tests.support.postgresql import PostgreSQL
from tests.support.replicas import shared_stores
from tests.support.seaweedfs import SeaweedFS
from tests.support.services import running
from tests.support.waiting import eventually

_PUBLISHES = 30
_READS = 10


@pytest.mark.slow
async def test_publish_at_one_server_shows_through_a_bridge_before_two(
    s3_server: SeaweedFS, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    (tmp_path / "catalog").mkdir()
    shared = shared_stores(s3_server, postgresql_server, f"{tmp_path.name}/") | {"catalog": tmp_path / "catalog"}
    async with (
        running("server", tmp_path / "1", **shared) as first,
        running("server", tmp_path / "2", **shared) as second,
    ):
        target = f"ipv4:{first.grpc},{second.grpc}"
        async with (
            running("bridge", tmp_path / "bridge", bridge_server_target=target) as bridge,
            httpx.AsyncClient(timeout=30) as client,
        ):
            url = page_url(bridge.rest, "a")
            for number in range(1, _PUBLISHES + 1):
                await publish((first, second)[number % 2].grpc, "a", number)

                async def is_shown(wanted: int = number) -> bool:
                    answer = await client.get(url)
                    return answer.status_code == 200 and number_of(answer) == wanted

                await eventually(is_shown, timeout_seconds=15, what="the publish is shown")

                async def is_settled(wanted: int = number) -> bool:
                    return all([number_of(await client.get(url)) == wanted for _ in range(_READS)])

                # A server that has not heard yet may answer once more; what is kept by then is the newest.
                await eventually(is_settled, timeout_seconds=15, what="every answer is the newest")
                assert await is_settled()
