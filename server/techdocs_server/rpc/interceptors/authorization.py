"""Whether the caller may see what a request is about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from techdocs_server.rpc.access_rules import AccessRule, Scope
from techdocs_server.rpc.convert import build_id, entity_ref
from techdocs_server.rpc.interceptors.wrapping import Context, Continuation, Handler, Stream, Unary, Upload, wrapped
from techdocs_server.rpc.principal import current_principal
from techdocs_server.services.authorizing import CatalogPolicy


class AuthorizationInterceptor(grpc.aio.ServerInterceptor):
    """Asks the policy about each request, after it has been parsed and validated.

    It reads a request by the same functions as the servicers do, so that what is allowed is what is done. Methods
    whose permission is granted by name have been decided on by the authentication.
    """

    def __init__(self, rules: Mapping[str, AccessRule], policy: CatalogPolicy) -> None:
        self._rules = rules
        self._policy = policy

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(details)
        rule = self._rules.get(details.method)
        if handler is None or rule is None or rule.is_granted_by_name or rule.scope is Scope.NONE:
            return handler

        def unary(behaviour: Unary) -> Unary:
            async def serve(request: Message, context: Context) -> Message:
                await self._check(rule, request)
                return await behaviour(request, context)

            return serve

        def stream(behaviour: Stream) -> Stream:
            async def serve(request: Message, context: Context) -> AsyncIterator[Message]:
                await self._check(rule, request)
                async for response in behaviour(request, context):
                    yield response

            return serve

        def upload(_: Upload) -> Upload:
            raise TypeError("no rule of a stream of requests asks the policy")

        return wrapped(handler, unary=unary, stream=stream, upload=upload)

    async def _check(self, rule: AccessRule, message: Message) -> None:
        request, principal = cast("Any", message), current_principal()
        if rule.permission in principal.permissions:
            return
        if rule.scope is Scope.BUILD:
            await self._policy.check_build(build_id(request.name), principal)
        elif rule.scope is Scope.ENTITY and request.HasField("entity"):
            await self._policy.check_entity(entity_ref(request.entity), principal)
        else:
            self._policy.check_everything(principal)
