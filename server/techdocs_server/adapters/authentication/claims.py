"""What a verified token must say, whoever made it (RFC 7519, section 4.1)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from techdocs_server.adapters.authentication.tokens import Token

_SUBJECT = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")
# datetime has no later years, and no token is meant to.
_LATEST = 253_402_300_799


class ClaimsInvalid(Exception):
    """A token does not say what it must, or its time is over. The text is for logs of whoever looks into it."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who a token is of, and when it ends."""

    subject: str
    expire_time: datetime


def check_claims(token: Token, now: datetime, *, needs_issue_time: bool = True) -> Claims:
    """Return the claims of a token whose signature is good. The clock has no tolerance, as in Backstage.

    Raises `ClaimsInvalid`.
    """
    seconds = now.timestamp()
    ends = _time(token, "exp")
    if ends is None:
        raise ClaimsInvalid("it never ends")
    if ends <= seconds:
        raise ClaimsInvalid("it has ended")
    if (begins := _time(token, "nbf")) is not None and begins > seconds:
        raise ClaimsInvalid("it has not begun")
    if _time(token, "iat") is None and needs_issue_time:
        raise ClaimsInvalid("it does not say when it was made")
    subject = token.claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise ClaimsInvalid("it is nobody's")
    return Claims(subject, datetime.fromtimestamp(ends, UTC))


def _time(token: Token, name: str) -> float | None:
    value = token.claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ClaimsInvalid(f"{name} is no time")
    if not 0 <= value <= _LATEST:
        raise ClaimsInvalid(f"{name} is no time")
    return float(value)
