"""What browsers are told to refuse.

Documentation is other people's HTML, and Material for MkDocs does not work without scripts, inline ones included. So
a page's scripts run, and the policy bounds what they reach. The API lives on the same origin, and ``'self'`` would
hand it to every page: the directives that can send requests or run code elsewhere are limited to the path of the
page's own site. Content Security Policy allows paths in sources only behind a host (CSP 3, section 2.3.1), which is
taken from the Host header, or from what a trusted proxy says it was; a proxy in front MUST hand that header on, or be a
trusted one that says it, or search on the pages stays silent.

**Protected.** A script of a page cannot call the API, nor another site, by fetch, XHR, EventSource, beacons, forms,
frames, workers or service workers. The policy goes with every answer under ``/docs``, not with pages only, because a
worker is bound by the policy of its own script. Answers of the API are inert (``default-src 'none'; sandbox``), so
that no page can open one in a window and work from inside it, and ``Cross-Origin-Opener-Policy`` takes the handle on
an opened page away where the browser knows ``noopener-allow-popups``.

**Not protected.** Pages of different sites share an origin and so its storage. A page can send GET requests as images
and navigate the window; it can send what it knows to any host, as an image's address. Where that is too much, serve
``/docs`` from a host of its own, or show pages through Backstage, which removes their scripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

INERT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""For everything that is no documentation: never a page, and nothing in it may act as one."""

STATIC_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
"""For /static/docs, which Backstage fetches and no browser should show as a page. Styles are for images' own viewers."""

COMMON_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # For browsers that know no frame-ancestors, and for PDF files, which have no policy.
    (b"x-frame-options", b"SAMEORIGIN"),
    # Keeps PDF and Flash viewers from reading across origins by a file that documentation could contain.
    (b"x-permitted-cross-domain-policies", b"none"),
    # Names in links of a page are nobody's business until one is followed.
    (b"x-dns-prefetch-control", b"off"),
)
"""For every answer."""

_TRANSPORT_SECONDS = 180 * 86_400


def transport_headers(external_url: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return what keeps browsers on HTTPS (RFC 6797), where they come by it. Of other hosts nothing is said."""
    if not external_url.startswith("https://"):
        return ()
    return ((b"strict-transport-security", f"max-age={_TRANSPORT_SECONDS}".encode()),)


# A name or an IPv4 address; CSP cannot write an IPv6 one.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")

_VIDEO_HOSTS = "https://www.youtube.com https://www.youtube-nocookie.com https://player.vimeo.com"
# Material asks these for the stars and the version of the repository a site names.
_REPOSITORY_FACTS = "https://api.github.com https://gitlab.com"


def site_headers(host: str, site_path: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer under ``/docs``.

    ``host`` is the one that the browser asked; ``site_path`` is the decoded path of the site, from the root of the origin to the slash
    behind the entity. Without a usable host the site's own path cannot be named, and what it would allow is refused.
    """
    return (
        ("content-security-policy", _site_policy(host, site_path)),
        ("cross-origin-opener-policy", "noopener-allow-popups"),
    )


def static_headers(media_type: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer under ``/static/docs``. Browsers' PDF viewers do not start under a policy."""
    return () if media_type == "application/pdf" else (("content-security-policy", STATIC_POLICY),)


def _site_policy(host: str, site_path: str) -> str:
    site = f"{host}{quote(site_path, safe='/')}" if _HOST.fullmatch(host) else ""
    directives: Sequence[tuple[str, str]] = (
        ("default-src", ""),
        ("script-src", "'self' 'unsafe-inline' https:"),
        ("style-src", "'self' 'unsafe-inline' https:"),
        ("font-src", "'self' https: data:"),
        ("img-src", "* data: blob:"),
        ("media-src", "* data: blob:"),
        ("connect-src", f"{site} {_REPOSITORY_FACTS}" if site else _REPOSITORY_FACTS),
        ("worker-src", site),
        ("frame-src", f"{site} {_VIDEO_HOSTS}" if site else _VIDEO_HOSTS),
        ("manifest-src", site),
        ("form-action", site),
        ("base-uri", site),
        ("frame-ancestors", "'self'"),
    )
    return "; ".join(f"{name} {sources or chr(39) + 'none' + chr(39)}" for name, sources in directives)
