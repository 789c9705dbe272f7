"""How ``/static/docs`` differs from ``/docs``: what Backstage's reader and search collator expect there.

Documentation is other people's content on the origin of the Backstage app, so nothing a browser would run or parse
as markup is served under its own type: pages, SVG images and XML are plain text, which the reader parses itself. The
types are those of Backstage's ``getHeadersForFileExtension`` (plugin-techdocs-node): by extension only, in any case.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

from techdocs_bridge.status import HTTPProblem

DEFAULT_MEDIA_TYPE = "text/plain; charset=utf-8"

_KEPT_STATUSES = frozenset({401, 404, 405, 412, 416})
_NO_SUCH_PAGE = frozenset({400, 403})


def static_media_type(path: str) -> str:
    """Return the media type of a file under ``/static/docs``, plain text unless its extension is known to be harmless."""
    return _media_types().get(PurePosixPath(path).suffix[1:].lower(), DEFAULT_MEDIA_TYPE)


def page_problem(problem: HTTPProblem) -> HTTPProblem:
    """Return what a page request under ``/static/docs`` answers in place of ``problem``.

    The reader knows 404 and 500 and renders the body of every other status as documentation. A path that breaks a rule
    cannot exist, so it is 404, as is a page its caller may not see; whatever else is broken, 503 included, is 500 and
    keeps its message. 405, 412 and 416 stay: the reader sends neither other methods nor conditions nor ranges. So does
    401, which Backstage's own backend answers without credentials and browsers need to know.
    """
    if problem.status in _KEPT_STATUSES:
        return problem
    return problem.with_status(404 if problem.status in _NO_SUCH_PAGE else 500)


@cache
def _media_types() -> dict[str, str]:
    """Extension without its dot to media type; the extensions that get the default are not listed."""
    table: dict[str, str] = json.loads(files(__package__).joinpath("content_types.json").read_bytes())
    return table
