"""GET over HTTP(S), from allowed hosts only, at addresses that were checked.

The standard library's HTTP client over a socket that we connect ourselves: it
resolves no name, follows no redirect, reads no proxy from the environment and
decodes no content unless told to, so that every hop is ours to check.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from techdocs_server.adapters.sources.address_rules import Lookup, checked_addresses, system_addresses
from techdocs_server.adapters.sources.blocking_work import StopSignal
from techdocs_server.adapters.sources.problems import credentials_refused, refused, unavailable
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.adapters.sources.tree import Stopped
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL
from techdocs_server.domain.errors import BuildStepFailed

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONNECT_SECONDS = 10.0
# Of silence. How long the whole may take is for the caller to say, by its stop signal.
_READ_SECONDS = 30.0
_USER_AGENT = "techdocs-service"


class HTTPAnswer:
    """The final answer of a GET. ``headers`` have lower-case names."""

    def __init__(self, response: http.client.HTTPResponse, url: WebURL) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._response = response
        self._url = url
        self._expected = response.length
        self._received = 0

    def read(self, most: int) -> bytes:
        """Return at least one and at most so many bytes of the body; none at its end. Raises `BuildStepFailed`."""
        try:
            chunk = self._response.read1(most)
        except (OSError, http.client.HTTPException) as error:
            raise _broke_off(self._url) from error
        self._received += len(chunk)
        if not chunk and self._expected is not None and self._received < self._expected:
            raise _broke_off(self._url)
        return chunk


@dataclass(frozen=True, slots=True)
class HTTPFetcher:
    """Fetches from the hosts of an allow-list. Blocks: for threads."""

    hosts: SourceHosts
    lookup: Lookup = system_addresses

    @contextmanager
    def get(self, url: WebURL, *, headers: Mapping[str, str], stop: StopSignal) -> Iterator[HTTPAnswer]:
        """Give the answer of a GET: 200, or 304 when ``headers`` are conditional.

        Redirects are followed, `_MAX_REDIRECTS` at most; each hop must be to an
        allowed host at an allowed address, never from https to http, and only the
        first host gets its credentials. Setting ``stop`` ends every wait of the
        connection. Raises `BuildStepFailed` for all else, including other statuses.
        """
        here, is_home = url, True
        for _ in range(_MAX_REDIRECTS + 1):
            host = self.hosts.allowed(here)
            # Once elsewhere, a chain that leads back brings an address that the first host did not choose.
            is_home = is_home and here.origin == url.origin
            credentials = _authorization(host) if is_home else {}
            with self._exchange(here, host, {**headers, **credentials}, stop) as response:
                if response.status not in _REDIRECTS:
                    yield self._accepted(HTTPAnswer(response, here), here, host, headers)
                    return
                here = _next_hop(here, response.getheader("Location"))
        raise refused(f"{url.shown} redirects more than {_MAX_REDIRECTS} times")

    @contextmanager
    def _exchange(
        self, url: WebURL, host: SourceHost, headers: Mapping[str, str], stop: StopSignal
    ) -> Iterator[http.client.HTTPResponse]:
        with ExitStack() as opened:
            stream = self._connected(url, host, stop, opened)
            connection = opened.enter_context(closing(http.client.HTTPConnection(url.name, url.port)))
            connection.sock = stream
            connection.auto_open = 0
            try:
                connection.putrequest("GET", url.target, skip_host=True, skip_accept_encoding=True)
                for name, value in {**_HEADERS, "Host": url.host, **headers}.items():
                    connection.putheader(name, value)
                connection.endheaders()
                response = opened.enter_context(closing(connection.getresponse()))
            except (OSError, http.client.HTTPException) as error:
                raise _broke_off(url) from error
            yield response

    def _connected(self, url: WebURL, host: SourceHost, stop: StopSignal, opened: ExitStack) -> socket.socket:
        """Return a socket that talks to the host; ``opened`` closes it, and ``stop`` ends its waits until then."""
        addresses = checked_addresses(
            url.name, url.port, private_allowed=host.allow_private_addresses, lookup=self.lookup
        )
        raw = opened.enter_context(closing(_connect(addresses, url, stop)))
        if url.scheme != "https":
            opened.enter_context(stop.interrupting(partial(_interrupt, raw)))
            return raw
        try:
            # The new socket takes the descriptor over from the old one; so it is interrupted, and closed, itself.
            stream = _tls(host).wrap_socket(raw, server_hostname=url.name, do_handshake_on_connect=False)
            opened.enter_context(closing(stream))
            opened.enter_context(stop.interrupting(partial(_interrupt, stream)))
            stream.do_handshake()
        except (OSError, ValueError) as error:
            raise _no_encryption(url, error) from error
        return stream

    def _accepted(self, answer: HTTPAnswer, url: WebURL, host: SourceHost, headers: Mapping[str, str]) -> HTTPAnswer:
        is_conditional = any(name.lower().startswith("if-") for name in headers)
        if answer.status == 200 or (answer.status == 304 and is_conditional):
            return answer
        raise _bad_status(answer.status, url, host)


_HEADERS = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}


def _authorization(host: SourceHost) -> Mapping[str, str]:
    if host.token is None:
        return {}
    if host.type is HostType.ARCHIVE and host.username is None:
        return {"Authorization": f"Bearer {host.token}"}
    pair = base64.b64encode(f"{host.token_user}:{host.token}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _next_hop(here: WebURL, location: str | None) -> WebURL:
    if not location:
        raise unavailable(f"{here.shown} redirects to nowhere")
    # A path alone stays on the host; everything else must be a whole URL.
    is_path = location.startswith("/") and not location.startswith("//")
    try:
        there = WebURL.parse(here.origin + location if is_path else location)
    except URLRefused as error:
        raise refused(f"{here.shown} redirects to what cannot be used: {error}") from error
    if here.scheme == "https" and there.scheme != "https":
        raise refused(f"{here.shown} redirects to {there.host} without encryption")
    return there


def _connect(addresses: Sequence[str], url: WebURL, stop: StopSignal) -> socket.socket:
    problem: OSError | None = None
    for address in addresses:
        if stop.is_set():
            raise Stopped
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        stream = socket.socket(family, socket.SOCK_STREAM)
        try:
            stream.settimeout(_CONNECT_SECONDS)
            with stop.interrupting(partial(_interrupt, stream)):
                stream.connect((address, url.port))
            stream.settimeout(_READ_SECONDS)
        except OSError as error:
            stream.close()
            problem = error
        else:
            return stream
    raise unavailable(f"{url.host} cannot be reached", hint="try again later") from problem


def _tls(host: SourceHost) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if host.ca_certificates is None else str(host.ca_certificates))


def _interrupt(stream: socket.socket) -> None:
    # Wakes a thread that waits in a read, which closing would not. An SSL socket's own shutdown would wait for its peer.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(stream, socket.SHUT_RDWR)


def _no_encryption(url: WebURL, error: Exception) -> BuildStepFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return unavailable(
            f"the certificate of {url.host} is not trusted",
            hint=f"the operator sets ca_certificates of {url.host} in source_hosts to the authority that signed it",
        )
    return unavailable(f"no encrypted connection to {url.host} is possible")


def _broke_off(url: WebURL) -> BuildStepFailed:
    return unavailable(f"{url.host} broke off while it sent {url.shown}", hint="try again later")


def _bad_status(status: int, url: WebURL, host: SourceHost) -> BuildStepFailed:
    if status in (401, 403):
        return credentials_refused(url.shown, url.host, has_token=host.token is not None)
    if status in (404, 410):
        return unavailable(
            f"there is nothing at {url.shown}", hint="check how its URL is spelt; it may have been moved"
        )
    if status == 429 or status >= 500:
        return unavailable(f"{url.host} cannot serve {url.shown} now (HTTP {status})", hint="try again later")
    return unavailable(f"{url.shown} cannot be fetched (HTTP {status})")
