"""How a remote source fails: one function per kind of failure, so that all of them read alike.

Texts are for the author of the documentation and for the operator. They hold no
secret, no query of a URL (it may carry one) and no path of this machine.
"""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterable

from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed

_MOST_FOREIGN_CHARACTERS = 300
_CUT = "…"


def unavailable(problem: str, *, hint: str = "") -> BuildStepFailed:
    """Return the failure of a source that could not be fetched; trying again may help."""
    return BuildStepFailed(problem, reason=BuildFailureReason.SOURCE_UNAVAILABLE, hint=hint)


def refused(problem: str, *, hint: str = "") -> BuildStepFailed:
    """Return the failure of a source that breaks a rule; trying again does not help."""
    return BuildStepFailed(problem, reason=BuildFailureReason.SOURCE_REFUSED, hint=hint)


def timed_out(what: str, seconds: float) -> BuildStepFailed:
    """Return the failure of a source that took too long."""
    return BuildStepFailed(
        f"{what} did not answer completely within {seconds:g} seconds",
        reason=BuildFailureReason.TIMED_OUT,
        hint="try again later; when it happens often, ask the operator whether the host is slow or the source large",
    )


def credentials_refused(what: str, host: str, *, has_token: bool) -> BuildStepFailed:
    """Return the failure of a host that does not let us in."""
    problem = f"{host} refuses the credentials for {what}" if has_token else f"{host} asks for credentials for {what}"
    return unavailable(
        problem, hint=f"the operator sets the token of {host} in source_hosts; it must be allowed to read this source"
    )


class Redaction:
    """Takes secrets out of texts that others wrote, such as what a server answers."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first: one may be part of another.
        self._forms = sorted(forms, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return a text without secrets and control characters, cut to what fits a message."""
        for form in self._forms:
            text = text.replace(form, "***")
        text = "".join(character if character.isprintable() else " " for character in text).strip()
        return text if len(text) <= _MOST_FOREIGN_CHARACTERS else text[:_MOST_FOREIGN_CHARACTERS] + _CUT


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    # Base64 without its last group: what stands in front of the secret in a header decides how it goes on.
    encoded = base64.b64encode(raw).decode()
    return secret, urllib.parse.quote(secret, safe=""), encoded, encoded.rstrip("=")
