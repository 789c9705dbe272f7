"""The entities that both services know, and the documentation of those that have some."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.support.backstage.backend import BOB, VISIBLE_TO
from tests.support.sites import PIXEL_PNG, Files, mkdocs_config, write_files

EXTENSIONS = (
    *(
    f"a.{extension}"
    for extension in (
        "html", "htm", "xhtml", "svg", "xml", "xsl", "rdf", "vtt", "webmanifest", "mml", "css", "js", "mjs", "json", "map",
        "txt", "yaml", "yml", "csv", "ts", "tsx", "py", "sh", "ipynb", "drawio", "puml", "proto", "png", "jpg", "gif", "webp",
        "avif", "ico", "pdf", "zip", "gz", "tgz", "bin", "wasm", "woff2", "ttf", "mp4", "mp3", "swf", "PNG", "Html", "tar.gz",
        "unknownext",
    )
    ),
    "noextension", "a.b.c", "trailing.",
)  # fmt: skip
"""Files whose media type is asked for. MkDocs copies each of them as it is."""

_ODD_NAMES = ("a#b.txt", "a?b.txt", "a+b.txt", "100%.txt")
_PAGES: Files = {
    "docs/index.md": "# Welcome\n\nThe first page, with a [guide](guide/index.md).\n\n" + "More words here. " * 80,
    "docs/guide/index.md": "# Guide\n\nHow it is done.\n",
    "docs/größe/seite eins.md": "# Größe\n\nA page whose path needs escapes.\n",
    "docs/assets/pixel.png": PIXEL_PNG,
}


def write_sources(folder: Path) -> Path:
    """Write the documentation of every entity below a folder, and return the file with the entities."""
    types = {f"docs/types/{name}": f"content of {name}\n".encode() * 40 for name in (*EXTENSIONS, *_ODD_NAMES)}
    _write(folder / "demo", {**_PAGES, **types})
    _write(folder / "other", {"docs/index.md": "# Other\n\nThe documentation of another entity.\n"})
    _write(folder / "hidden", {"docs/index.md": "# Hidden\n\nFor Bob.\n"})
    _write(folder / "built", {"docs/index.md": "# Built\n\nBuilt while both are asked.\n"})
    _write(folder / "SHOUTING", {"docs/index.md": "# Shouting\n"})
    write_files(folder / "broken", {"mkdocs.yml": "site_name: Broken\nnav: [missing", "docs/index.md": "# Broken\n"})
    entities = {
        name: _entity(folder, name)
        for name in ("demo", "other", "built", "SHOUTING", "broken")
    } | {
        "hidden": _entity(folder, "hidden", annotations={VISIBLE_TO: BOB}),
        "nodocs": _entity(folder, "nodocs"),
        "noann": _entity(folder, "noann", ref=None),
        "badref": _entity(folder, "badref", ref="nonsense"),
        "oddref": _entity(folder, "oddref", ref="carrier-pigeon:coop"),
        "outside": _entity(folder, "outside", ref="dir:../../.."),
        "nouid": _entity(folder, "nouid", has_uid=False),
    }  # fmt: skip
    for name, entity in entities.items():
        write_files(folder / name, {"catalog-info.yaml": json.dumps(entity)})
    file = folder / "entities.json"
    file.write_text(json.dumps({f"component:default/{name}".lower(): entity for name, entity in entities.items()}))
    return file


def _write(folder: Path, files: Files) -> None:
    write_files(
        folder, {"mkdocs.yml": mkdocs_config(f"Docs of {folder.name}", site_url="https://docs.example/"), **files}
    )


def _entity(
    folder: Path,
    name: str,
    *,
    ref: str | None = "dir:.",
    has_uid: bool = True,
    annotations: Mapping[str, str] | None = None,
) -> Mapping[str, object]:
    location = f"file:{folder / name / 'catalog-info.yaml'}"
    source = {} if ref is None else {"backstage.io/techdocs-ref": ref}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {
            **({"uid": str(uuid.uuid5(uuid.NAMESPACE_URL, name))} if has_uid else {}),
            "name": name,
            "namespace": "default",
            "title": f"The {name}",
            "annotations": {
                "backstage.io/managed-by-location": location,
                "backstage.io/managed-by-origin-location": location,
                **source,
                **(annotations or {}),
            },
        },
        "spec": {"type": "service", "lifecycle": "production", "owner": "team-a"},
        "relations": [{"type": "ownedBy", "targetRef": "group:default/team-a"}],
    }
