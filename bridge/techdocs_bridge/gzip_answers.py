"""gzip for documents of the API. Pages and assets have variants of their own, which the server keeps.

The document with an encoding is another representation: it has its own entity tag and its own length (RFC 9110,
sections 8.4 and 8.8.3.3), the same bytes every time. Event streams are never encoded: a compressor that holds an
event back breaks what they are for.
"""

from __future__ import annotations

import asyncio
import gzip

from techdocs.v1 import docs_pb2

from techdocs_bridge.accept_encoding import accepted_codings

_LEVEL = 5
# Below this a document and its headers are one packet anyway (1,460 bytes of an Ethernet frame are left for TCP).
_SMALLEST_BYTES = 1024
# Where compressing takes a millisecond or more: longer than the loop may be kept from everybody else.
_THREAD_BYTES = 64 * 1024


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether a client takes gzip rather than the document itself; see `accepted_codings`."""
    return docs_pb2.CONTENT_ENCODING_GZIP in accepted_codings(accept_encoding)


def is_worth_it(body: bytes) -> bool:
    """Return whether a document has two representations."""
    return len(body) >= _SMALLEST_BYTES


async def gzipped(body: bytes) -> bytes:
    """Return the document gzip encoded. The loop goes on meanwhile."""
    if len(body) < _THREAD_BYTES:
        return _compress(body)
    return await asyncio.to_thread(_compress, body)


def _compress(body: bytes) -> bytes:
    # No time in it: the same document has the same bytes, as its strong tag says.
    return gzip.compress(body, _LEVEL, mtime=0)
