"""From what git prints to what an author or operator can do about it: one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from techdocs_server.adapters.sources.git_command import GitFailed
from techdocs_server.adapters.sources.problems import Redaction, credentials_refused, refused, unavailable
from techdocs_server.adapters.sources.source_hosts import SourceHost
from techdocs_server.domain.errors import BuildStepFailed, QuotaExceeded

_REMOTE = re.compile(r"^remote: (?!error: )(.+)$", re.MULTILINE)
_FATAL = re.compile(r"^(?:fatal|error): (?:remote error: )?(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What git was asked for: a repository, a host, and how large the answer may be."""

    clone_url: str
    host: SourceHost
    max_bytes: int

    @property
    def redaction(self) -> Redaction:
        """Takes the host's secrets out of a text."""
        token = self.host.token
        return Redaction(() if token is None else (token, f"{self.host.token_user}:{token}"))


def explain(error: GitFailed, asked: Asked) -> BuildStepFailed | QuotaExceeded:
    """Return the error to raise for a git command that failed."""
    for pattern, make in _TABLE:
        if re.search(pattern, error.message, re.IGNORECASE):
            return make(asked, _said(error, asked))
    said = _said(error, asked)
    return unavailable(f"{asked.clone_url} cannot be fetched" + (f": {said}" if said else ""))


def too_many_refs(asked: Asked) -> QuotaExceeded:
    """Return the error of a repository whose list of refs is too long."""
    return QuotaExceeded(f"the repository {asked.clone_url} lists more branches and tags than this server reads")


def _said(error: GitFailed, asked: Asked) -> str:
    """Return the server's own words, else git's last, safe to show."""
    remote = _REMOTE.findall(error.message)
    fatal = _FATAL.findall(error.message)
    words = remote[0] if remote else (fatal[-1] if fatal else "")
    return asked.redaction.clean(words)


def _with(problem: str, said: str) -> str:
    return f"{problem}; it says: {said}" if said else problem


def _credentials(asked: Asked, said: str) -> BuildStepFailed:
    return credentials_refused(asked.clone_url, asked.host.host, has_token=asked.host.token is not None)


def _no_repository(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(
        f"there is no repository {asked.clone_url}",
        hint="check how its URL is spelt; many hosts also say so when the token of source_hosts may not read it",
    )


def _redirected(asked: Asked, said: str) -> BuildStepFailed:
    return refused(
        f"{asked.clone_url} was moved: its host answers with a redirect, which is not followed",
        hint="write the repository's present URL",
    )


def _limited(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(
        _with(f"{asked.host.host} takes no more requests from this server now", said), hint="try again later"
    )


def _server_error(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(
        _with(f"{asked.host.host} cannot serve {asked.clone_url} now: its server reports an error", said),
        hint="try again later",
    )


def _no_ref(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(
        f"the branch, tag or commit is not in {asked.clone_url} any more",
        hint="it may have been deleted or moved while it was fetched; name one that exists",
    )


def _certificate(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(
        f"the certificate of {asked.host.host} is not trusted",
        hint=f"the operator sets ca_certificates of {asked.host.host} in source_hosts to the authority that signed it",
    )


def _unreachable(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(f"{asked.host.host} cannot be reached", hint="try again later, or check how the host is spelt")


def _slow(asked: Asked, said: str) -> BuildStepFailed:
    return unavailable(f"{asked.host.host} sends {asked.clone_url} too slowly", hint="try again later")


def _too_large(asked: Asked, said: str) -> QuotaExceeded:
    return QuotaExceeded(
        f"the repository {asked.clone_url} is larger than {asked.max_bytes} bytes; "
        "move the documentation to a smaller one, or ask the operator for a larger source_max_bytes"
    )


def _too_much_memory(asked: Asked, said: str) -> QuotaExceeded:
    return QuotaExceeded(f"reading the repository {asked.clone_url} takes more memory than it may")


def _old_server(asked: Asked, said: str) -> BuildStepFailed:
    return refused(
        f"{asked.clone_url} is served in a way that sends its whole history",
        hint="the server must speak git's smart HTTP protocol",
    )


def _broken(asked: Asked, said: str) -> BuildStepFailed:
    return refused(_with(f"the repository {asked.clone_url} holds broken or unsafe objects", said))


_Make = Callable[[Asked, str], "BuildStepFailed | QuotaExceeded"]
# The first that matches counts. A server can print anything, so none of them may say more than "it failed".
_TABLE: tuple[tuple[str, _Make], ...] = (
    (r"file too large", _too_large),
    (r"out of memory", _too_much_memory),
    (r"Authentication failed|could not read (Username|Password)|returned error: 40[13]\b", _credentials),
    (r"^fatal: repository '.*' not found|returned error: 4(04|10)\b|does not appear to be a git repo", _no_repository),
    (r"returned error: 3\d\d\b", _redirected),
    (r"returned error: 429\b", _limited),
    (r"returned error: 5\d\d\b", _server_error),
    (r"couldn't find remote ref|not our ref|unadvertised object", _no_ref),
    (r"certificate|SSL_|SSL:|server certificate verification failed", _certificate),
    (r"Failed to connect|Could not resolve|Couldn't connect|Connection refused", _unreachable),
    (r"Operation too slow|timed out", _slow),
    (r"dumb http transport", _old_server),
    (r"fsck|invalid path|unknown object|corrupt|bad tree|bad object|File name too long|not a valid", _broken),
)
