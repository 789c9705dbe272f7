"""The cookie that lets a browser load what a page names: its text, as ``httpAuth`` of backend-defaults writes it."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from techdocs_bridge.backstage.credentials import COOKIE
from techdocs_bridge.forwarded import Origin

_ENDED = "Thu, 01 Jan 1970 00:00:00 GMT"


def set_cookie(token: str, expires: datetime, *, external_url: str, origin: Origin) -> str:
    """Return the Set-Cookie header that hands a token to the browser until the token ends. ``expires`` is in UTC."""
    return _header(token, format_datetime(expires, usegmt=True), external_url, origin)


def clear_cookie(*, external_url: str, origin: Origin) -> str:
    """Return the Set-Cookie header that takes it away again."""
    return _header("", _ENDED, external_url, origin)


def _header(value: str, expires: str, external_url: str, origin: Origin) -> str:
    """Name the host that browsers know; when nobody said which that is, let the browser take the one it asked.

    Without HTTPS a browser sends no cookie to frames and pictures of another site, so SameSite=None would only lose it;
    ``localhost`` counts as secure in browsers (Secure Contexts, section 3.1).
    """
    parts = urlsplit(external_url)
    host = parts.hostname or ""
    asked = host or origin.host.partition(":")[0].lower()
    secure = (parts.scheme or origin.scheme) == "https" or asked == "localhost"
    domain = f"Domain={host}" if host and ":" not in host else ""
    attributes = (
        f"{COOKIE}={value}",
        domain,
        "Path=/",
        f"Expires={expires}",
        "HttpOnly",
        "Secure" if secure else "",
        "Priority=High",
        "SameSite=None" if secure else "SameSite=Lax",
    )
    return "; ".join(attribute for attribute in attributes if attribute)


def iso_milliseconds(moment: datetime) -> str:
    """Return a moment in UTC as JavaScript's ``toISOString`` writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
