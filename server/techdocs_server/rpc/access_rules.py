"""The rule of every method, read from the contract (access.proto)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from techdocs.v1 import access_pb2, entity_pb2

from techdocs_server.domain.principal import Permission


class RuleInvalid(ValueError):
    """A method has no rule, or one that cannot be kept: a defect of the contract, found at start."""


class Scope(enum.Enum):
    """What a request is about. The values are those of access.proto."""

    NONE = access_pb2.ACCESS_SCOPE_NONE
    """No site."""
    ENTITY = access_pb2.ACCESS_SCOPE_ENTITY
    """The site of the field ``entity``; every site when it is left out."""
    BUILD = access_pb2.ACCESS_SCOPE_BUILD
    """The site of the build in the field ``name``."""
    ALL = access_pb2.ACCESS_SCOPE_ALL
    """Every site."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What one method asks of its caller."""

    permission: Permission
    scope: Scope
    limited_token_suffices: bool

    @property
    def is_granted_by_name(self) -> bool:
        """Whether the policy has no say: the permission must be granted to the caller by name."""
        return self.permission in (Permission.PUBLISH, Permission.ADMIN)


_PERMISSIONS: Mapping[int, Permission] = {
    access_pb2.ACCESS_PUBLIC: Permission.PUBLIC,
    access_pb2.ACCESS_READ: Permission.READ,
    access_pb2.ACCESS_SYNC: Permission.SYNC,
    access_pb2.ACCESS_PUBLISH: Permission.PUBLISH,
    access_pb2.ACCESS_ADMIN: Permission.ADMIN,
}
_SCOPES: Mapping[int, Scope] = {scope.value: scope for scope in Scope}


def access_rules(services: Iterable[ServiceDescriptor]) -> Mapping[str, AccessRule]:
    """Return the rule of each method by its path, like ``/techdocs.v1.DocsService/GetContent``.

    Raises `RuleInvalid` naming the first method that has none, or one that cannot be kept.
    """
    return {f"/{service.full_name}/{method.name}": _rule(method) for service in services for method in service.methods}


def _rule(method: MethodDescriptor) -> AccessRule:
    option = method.GetOptions().Extensions[access_pb2.access_rule]
    permission, scope = _PERMISSIONS.get(option.access), _SCOPES.get(option.scope)
    if permission is None or scope is None:
        raise RuleInvalid(f"{method.full_name} does not say what it asks of its caller")
    rule = AccessRule(permission, scope, option.limited_token_suffices)
    if problem := _problem(method, rule):
        raise RuleInvalid(f"{method.full_name} {problem}")
    return rule


def _problem(method: MethodDescriptor, rule: AccessRule) -> str:
    """Return why a rule cannot be kept, empty when it can."""
    if rule.permission is Permission.PUBLIC and rule.scope is not Scope.NONE:
        return "is open to everybody and about sites, which are not"
    if rule.is_granted_by_name:
        return "lets a limited token do more than read" if rule.limited_token_suffices else ""
    if method.client_streaming:
        return "takes a stream, of which the policy cannot see what it is about"
    if rule.limited_token_suffices and (rule.permission, rule.scope) != (Permission.READ, Scope.ENTITY):
        return "lets a limited token do more than read one site"
    fields = method.input_type.fields_by_name
    if rule.scope is Scope.ENTITY and not _is_entity(fields.get("entity")):
        return "is about an entity and has no field for it"
    if rule.scope is Scope.BUILD and "name" not in fields:
        return "is about a build and has no field for it"
    return ""


def _is_entity(field: FieldDescriptor | None) -> bool:
    if field is None or field.message_type is None:
        return False
    return field.message_type.full_name == entity_pb2.EntityRef.DESCRIPTOR.full_name
