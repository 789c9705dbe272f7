"""``/.backstage/auth/v1/cookie``: a browser gets, and gives back, the cookie that loads pictures and styles of pages.

The token in it is the server's to make, from the bearer token of the request; only its form as a cookie is made here.
Where the server wants no credentials there is no cookie to get, which Backstage's reader takes from the 404 and goes
on without one.
"""

from __future__ import annotations

import json
from datetime import UTC

from starlette.types import Send
from techdocs.v1 import auth_pb2

from techdocs_bridge.backstage.cookie import clear_cookie, iso_milliseconds, set_cookie
from techdocs_bridge.backstage.credentials import AuthorizationUnusable, authorization, cookie_token
from techdocs_bridge.client import CallContext, ServerClient
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.json_answers import send_body
from techdocs_bridge.refusals import authorization_unusable, defect, no_such_path
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.status import HTTPProblem

_CREATE = auth_pb2.DESCRIPTOR.services_by_name["AuthService"].methods_by_name["CreateLimitedToken"]


class CookiePaths:
    """Answers GET and DELETE of the cookie's path."""

    def __init__(self, settings: BridgeSettings, client: ServerClient) -> None:
        self._settings = settings
        self._client = client

    async def show(self, exchange: Exchange, send: Send) -> None:
        """Hand out a cookie, or say how long the one that is held is good.

        Raises:
            HTTPProblem: 401 or 403 for who may not have one, 404 where none is needed.
        """
        token = await self._create(exchange, held=cookie_token(exchange.headers))
        if not token.HasField("expire_time"):
            raise no_such_path()
        expires = token.expire_time.ToDatetime(UTC)
        headers: list[tuple[bytes, bytes]] = []
        if token.renewed and token.token:
            text = set_cookie(token.token, expires, external_url=self._settings.external_url, origin=exchange.origin)
            headers.append((b"set-cookie", text.encode("latin-1")))
        body = json.dumps({"expiresAt": iso_milliseconds(expires)}, separators=(",", ":")).encode()
        await send_body(200, "application/json", body, send, cache_control="no-store", headers=headers)

    async def clear(self, exchange: Exchange, send: Send) -> None:
        """Take the cookie away. Whoever has credentials may, also who could not have one.

        Raises:
            HTTPProblem: 401 without good credentials.
        """
        try:
            await self._create(exchange, held="")
        except HTTPProblem as problem:
            if problem.reason != "ACCESS_DENIED":
                raise
        text = clear_cookie(external_url=self._settings.external_url, origin=exchange.origin)
        headers = [(b"set-cookie", text.encode("latin-1")), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _create(self, exchange: Exchange, *, held: str) -> auth_pb2.CreateLimitedTokenResponse:
        try:
            # Never with the cookie itself: a cookie that renews itself would never end.
            given = authorization(exchange.headers, with_cookie=False)
        except AuthorizationUnusable as error:
            raise authorization_unusable(str(error), status=error.status) from error
        context = CallContext(
            request_id=exchange.request_id,
            authorization=given,
            deadline_seconds=self._settings.default_deadline_seconds,
        )
        request = auth_pb2.CreateLimitedTokenRequest(held_token=held)
        response = await self._client.call(_CREATE, request, context)
        if not isinstance(response, auth_pb2.CreateLimitedTokenResponse):
            raise defect("CreateLimitedToken has another answer")
        return response
