"""What some methods are asked in HTTP's own words instead of query parameters.

Reading content is HTTP's own trade: conditions and ranges come as headers, and
have statuses of their own (RFC 9110). The document says so for these methods;
all others take every field that the path and the body leave from the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from techdocs_bridge.transcoding.http_rules import Route


@dataclass(frozen=True, slots=True)
class HTTPForm:
    """How one method departs from plain transcoding."""

    query: frozenset[str] | None = None
    """Request fields that the query may set; None for all that are left."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers that it reads, and what they do."""
    responses: Mapping[str, str] = field(default_factory=dict)
    """Further statuses, and what they mean. From 400 on they have the error body."""
    failure_media_types: tuple[str, ...] = ()
    """What failures may come as besides JSON."""


_PLAIN = HTTPForm()
_FORMS = {
    "techdocs.v1.DocsService.ReadContent": HTTPForm(
        query=frozenset({"revision"}),
        headers={
            "If-None-Match": "Entity tags held by the client. Answers 304 when one of them is current.",
            "Range": "One range of bytes. Several at once, and other units, get the whole.",
            "If-Range": "Strong entity tag that the content must still have for Range to apply.",
        },
        responses={
            "206": "The requested range.",
            "304": "The client's copy is current.",
            "416": "The range begins past the end of the content.",
        },
        failure_media_types=("text/html",),
    ),
    "techdocs.v1.BuildService.StreamSync": HTTPForm(
        headers={"Last-Event-ID": "Id of the last event received. The stream goes on after it."},
        failure_media_types=("text/event-stream",),
    ),
}


def form_of(route: Route) -> HTTPForm:
    """Return how the method of a route speaks HTTP."""
    return _FORMS.get(route.full_name, _PLAIN)
