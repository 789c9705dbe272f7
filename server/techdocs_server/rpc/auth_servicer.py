"""AuthService: messages in, `LimitedTokens` and `PublishedKeys` calls, messages out."""

from __future__ import annotations

from techdocs.v1 import auth_pb2, auth_pb2_grpc

from techdocs_server.ports.signing_keys import PublishedKeys
from techdocs_server.rpc.convert import http_body, timestamp
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.rpc.principal import current_principal
from techdocs_server.services.limited_tokens import LimitedTokens


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """Credentials."""

    def __init__(self, *, limited_tokens: LimitedTokens, keys: PublishedKeys) -> None:
        self._limited_tokens = limited_tokens
        self._keys = keys

    async def CreateLimitedToken(
        self, request: auth_pb2.CreateLimitedTokenRequest, context: Context
    ) -> auth_pb2.CreateLimitedTokenResponse:
        """See auth.proto."""
        made = await self._limited_tokens.create(current_principal(), held=request.held_token)
        return auth_pb2.CreateLimitedTokenResponse(
            token=made.token, expire_time=timestamp(made.expire_time), renewed=made.is_new
        )

    async def ListSigningKeys(
        self, request: auth_pb2.ListSigningKeysRequest, context: Context
    ) -> auth_pb2.ListSigningKeysResponse:
        """See auth.proto."""
        key_set = await self._keys.key_set()
        return auth_pb2.ListSigningKeysResponse(body=http_body(key_set, "application/json; charset=utf-8"))
