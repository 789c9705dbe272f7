"""The key of a site: a catalog entity's namespace, kind and name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

DEFAULT_NAMESPACE = "default"

# Backstage's own rules: packages/catalog-model, validation/KubernetesValidatorFunctions and
# CommonValidatorFunctions. The same patterns stand in proto/techdocs/v1/entity.proto.
_NAMESPACE = re.compile(r"[a-z0-9]+(-+[a-z0-9]+)*")
_KIND = re.compile(r"[a-z][a-z0-9]*")
_NAME = re.compile(r"([a-z0-9][a-z0-9_.-]*)?[a-z0-9]")
_MAX_LENGTH = 63


@dataclass(frozen=True, slots=True, order=True)
class EntityRef:
    """A reference in canonical form: lower case, namespace filled in.

    Orders by namespace, kind, name. Make one with `of` or `parse`; the plain
    constructor trusts its arguments.
    """

    namespace: str
    kind: str
    name: str

    @classmethod
    def of(cls, *, namespace: str = "", kind: str, name: str) -> Self:
        """Return the canonical reference of three parts in any letter case.

        Raises `ValueError` naming the part that breaks the rules.
        """
        parts = {"namespace": namespace or DEFAULT_NAMESPACE, "kind": kind, "name": name}
        patterns = {"namespace": _NAMESPACE, "kind": _KIND, "name": _NAME}
        lowered = {part: value.lower() for part, value in parts.items()}
        for part, value in lowered.items():
            if len(value) > _MAX_LENGTH or not patterns[part].fullmatch(value):
                raise ValueError(f"{part} {parts[part]!r} is not a valid {part} of a catalog entity")
        return cls(**lowered)

    @classmethod
    def parse(cls, text: str, *, default_kind: str = "component") -> Self:
        """Parse ``[kind:][namespace/]name``, Backstage's string form. Raises `ValueError`."""
        kind, _, rest = text.rpartition(":")
        namespace, _, name = rest.rpartition("/")
        return cls.of(namespace=namespace, kind=kind or default_kind, name=name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}"
