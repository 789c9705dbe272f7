"""Which codings of content a client takes (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from techdocs.v1 import docs_pb2

Coding: TypeAlias = "docs_pb2.ContentEncoding.ValueType"

CODING_NAMES = {docs_pb2.CONTENT_ENCODING_BROTLI: "br", docs_pb2.CONTENT_ENCODING_GZIP: "gzip"}
"""What Content-Encoding calls the codings of the contract, the one that we would rather send first."""

_ALIASES = {"x-gzip": "gzip"}  # section 8.4.1.3
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", re.ASCII)


def accepted_codings(header: str | None) -> Sequence[Coding]:
    """Return the codings to send rather than the content itself, the best one first.

    A coding that weighs less than ``identity`` is left out, and so is one that the header does not name, unless it
    has ``*``. The content itself always remains: a client that refuses it gets it where there is nothing else, as
    section 12.5.3 advises, rather than 406.
    """
    weights = _weights(header or "")
    identity, others = weights.get("identity", 0.0), weights.get("*", 0.0)
    taken = {coding: weights.get(name, others) for coding, name in CODING_NAMES.items()}
    good = [coding for coding, weight in taken.items() if weight > 0 and weight >= identity]
    return sorted(good, key=lambda coding: -taken[coding])


def _weights(header: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for member in header.lower().split(","):
        name, *parameters = (piece.strip(" \t") for piece in member.split(";"))
        weight = _weight(parameters)
        if name and weight is not None:
            weights[_ALIASES.get(name, name)] = weight
    return weights


def _weight(parameters: Sequence[str]) -> float | None:
    """Return the weight, 1 for none; None for one that breaks the grammar: such a member is as good as absent."""
    if not parameters:
        return 1.0
    name, _, value = parameters[0].partition("=")
    if len(parameters) > 1 or name.strip() != "q" or not _WEIGHT.fullmatch(value.strip()):
        return None
    return float(value)
