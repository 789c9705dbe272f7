"""A request of HTTP that has become one of the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from techdocs_bridge.client import CallContext
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.status import HTTPProblem


@dataclass(frozen=True, slots=True)
class BoundCall:
    """What to call, with what, and whom the answer is for."""

    exchange: Exchange
    method: MethodDescriptor
    request: Message
    context: CallContext
    words: Callable[[HTTPProblem], HTTPProblem]
    """What a problem of the call is in the words that its reader expects."""
