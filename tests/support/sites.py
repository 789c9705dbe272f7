"""Small but real documentation sources and catalogs on disk."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

Files = Mapping[str, str | bytes]

PIXEL_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

PLAIN_PAGES: Files = {"docs/index.md": "# Welcome\n\nThe first page.\n"}

RICH_PAGES: Files = {
    "docs/index.md": (
        "# Payments\n\nTakes money. See [how to run it](guides/run.md#restart), :smile: and ==marked== H~2~O.\n\n"
        "!!! note\n    Receipts are kept for *ten* years.\n\n"
        "> [!TIP]\n> Ask the team first.\n\n"
        "![flow](images/flow.png)\n\n"
        "| field | meaning |\n|---|---|\n| `amount` | in cents |\n| `currency` | ISO 4217 |\n"
    ),
    "docs/guides/run.md": (
        "# Run it\n\n```python\ndef pay(amount: int) -> str:\n    return f'{amount} paid'\n```\n\n"
        '=== "Linux"\n\n    Use `systemctl`.\n\n=== "Mac"\n\n    Use `launchctl`.\n\n'
        "## Restart\n\n- [x] drain\n- [ ] stop\n\nÜber größere Beträge: 1 000 000 €.\n"
    ),
    "docs/guides/index.md": "# Guides\n\n[Run it](run.md)\n",
    "docs/images/flow.png": PIXEL_PNG,
    "docs/files/data.csv": "a,b\n1,2\n",
}

MONOREPO_FILES: Files = {
    "mkdocs.yml": (
        "site_name: All services\nplugins:\n  - techdocs-core\n"
        "nav:\n  - Home: index.md\n  - Billing: '!include ./billing/mkdocs.yml'\n"
    ),
    "docs/index.md": "# All services\n",
    "billing/mkdocs.yml": "site_name: billing\nnav:\n  - Start: index.md\n  - More: more.md\n",
    "billing/docs/index.md": "# Billing\n\n[More](more.md)\n",
    "billing/docs/more.md": "# More of billing\n",
}


def mkdocs_config(site_name: str = "Demo", **options: object) -> str:
    """Return an mkdocs.yml that lists techdocs-core; options replace or add keys, None leaves one out."""
    document = {"site_name": site_name, "plugins": ["techdocs-core"], **options}
    return yaml.safe_dump({key: value for key, value in document.items() if value is not None}, sort_keys=False)


def write_files(folder: Path, files: Files) -> Path:
    """Write files below a folder, which is made when it is missing; return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_site(
    folder: Path, *, pages: Files = PLAIN_PAGES, config: str | None = None, config_name: str = "mkdocs.yml"
) -> Path:
    """Write a documentation source: pages (paths from its root) and, by default, a plain mkdocs.yml.

    An empty config means none at all.
    """
    text = mkdocs_config() if config is None else config
    return write_files(folder, {**pages, **({config_name: text} if text else {})})


def entity_document(
    name: str,
    *,
    kind: str = "Component",
    techdocs_ref: str | None = "dir:.",
    metadata: Mapping[str, object] | None = None,
    spec: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return a catalog entity as its author writes it."""
    annotations = {} if techdocs_ref is None else {"annotations": {"backstage.io/techdocs-ref": techdocs_ref}}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **annotations, **(metadata or {})},
        "spec": {"type": "service", "owner": "team-a", "lifecycle": "production", **(spec or {})},
    }


def write_source(folder: Path, *, name: str = "demo") -> Path:
    """Write a component with one page, its configuration and its descriptor; return the descriptor."""
    config = mkdocs_config(name.capitalize())
    write_files(folder, {"mkdocs.yml": config, "docs/index.md": f"# {name.capitalize()}\n"})
    write_catalog(folder, {"catalog-info.yaml": entity_document(name)})
    return folder / "catalog-info.yaml"


def location_document(name: str, *targets: str, **spec: object) -> dict[str, object]:
    """Return an entity of kind Location that names files."""
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": name},
        "spec": {"targets": list(targets), **spec},
    }


def write_catalog(folder: Path, files: Mapping[str, str | Mapping[str, object] | Sequence[object]]) -> Path:
    """Write descriptor files below a folder: their text, one document, or several. Returns the folder."""
    return write_files(folder, {name: _descriptor_text(content) for name, content in files.items()})


def _descriptor_text(content: str | Mapping[str, object] | Sequence[object]) -> str:
    if isinstance(content, str):
        return content
    documents = [content] if isinstance(content, Mapping) else content
    return yaml.safe_dump_all(documents, sort_keys=False)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, by its relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
