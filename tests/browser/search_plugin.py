"""What the search plugin of Backstage answers about documentation, made from our search indexes.

Documents have the form that the collator gives them (plugin-search-backend-module-techdocs,
DefaultTechDocsCollatorFactory). The collator runs every ten minutes; here an index is read when it is asked for.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import httpx

_RESULTS = 25


async def search_results(
    client: httpx.AsyncClient, techdocs: str, query: Mapping[str, str], *, token: str
) -> Mapping[str, Any]:
    """Return the answer to ``/query``: the sections of one entity's documentation that have every word of the term.

    ``token`` is what the search plugin proves itself with, empty for nothing.
    """
    kind, namespace, name = (query[f"filters[{part}]"] for part in ("kind", "namespace", "name"))
    headers = {"authorization": f"Bearer {token}"} if token else {}
    index = f"{techdocs}/static/docs/{namespace}/{kind}/{name}/search/search_index.json"
    answer = await client.get(index, headers=headers)
    words = query.get("term", "").lower().split()
    documents = [_document(section, kind, namespace, name) for section in answer.raise_for_status().json()["docs"]]
    found = [d for d in documents if all(word in f"{d['title']} {d['text']}".lower() for word in words)]
    return {
        "results": [
            {"type": "techdocs", "document": document, "rank": rank}
            for rank, document in enumerate(found[:_RESULTS], 1)
        ],
        "numberOfResults": len(found),
    }


def _document(section: Mapping[str, str], kind: str, namespace: str, name: str) -> Mapping[str, Any]:
    path = section["location"]
    return {
        "title": html.unescape(section["title"]),
        "text": html.unescape(section["text"]),
        "path": path,
        "location": f"/docs/{namespace}/{kind}/{name}/{path}",
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "entityTitle": name,
        "componentType": "service",
        "lifecycle": "production",
        "owner": "team-a",
    }
