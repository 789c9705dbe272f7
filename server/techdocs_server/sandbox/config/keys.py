"""The keys of an mkdocs.yml that may be in the new one, and what each may hold.

The list is that of Backstage's generator (plugin-techdocs-node,
stages/generate/mkdocsPatchers), without keys that only other commands of MkDocs
read, and with ``draft_docs``, which does no more than ``exclude_docs`` in a build.
``nav`` is read elsewhere: it may include other configurations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from techdocs_server.sandbox.config.addresses import (
    has_link,
    inside_tree,
    is_relative,
    is_web_url,
    leaves_tree,
    link,
    web_url,
)
from techdocs_server.sandbox.config.extensions import markdown_extensions
from techdocs_server.sandbox.config.nodes import Node
from techdocs_server.sandbox.config.plugins import plugins
from techdocs_server.sandbox.config.reading import Reader, Spot, Unfit
from techdocs_server.sandbox.config.schema import Reason, constant, data_with, flag, list_of, record, text
from techdocs_server.sandbox.config.theme import theme

_PLACEHOLDER = re.compile(r"\{path(_noext)?(!q)?\}")


def _docs_dir(node: Node, spot: Spot) -> str:
    value = text(node, spot)
    path = inside_tree(value, folder=spot.reading.folder)
    if path is None or has_link(spot.reading.tree, path):
        raise leaves_tree(node.line)
    return value


def _edit_uri(node: Node, spot: Spot) -> str:
    value = text(node, spot)
    if not (is_relative(value) or is_web_url(value)):
        raise Unfit("must be a path below repo_url, or a http or https URL", line=node.line)
    return value


def _edit_uri_template(node: Node, spot: Spot) -> str:
    value = text(node, spot)
    plain = _PLACEHOLDER.sub("x", value)
    if "{" in plain or "}" in plain:
        raise Unfit(
            "has placeholders that MkDocs does not have",
            line=node.line,
            instead="allowed are {path}, {path!q}, {path_noext} and {path_noext!q}",
        )
    if not (is_relative(plain) or is_web_url(plain)):
        raise Unfit("must be a path below repo_url, or a http or https URL", line=node.line)
    return value


def _stylesheet(node: Node, spot: Spot) -> str:
    value = text(node, spot)
    if not is_web_url(value) and not (is_relative(value) and inside_tree(value) is not None):
        raise Unfit("must be a path below docs_dir or a http or https URL", line=node.line, is_refused=True)
    return value


_LEVEL = constant("warn", "info", "ignore")
_ABSOLUTE = constant("warn", "info", "ignore", "relative_to_docs")
_NAV_LEVELS: Mapping[str, Reader] = {"omitted_files": _LEVEL, "not_found": _LEVEL, "absolute_links": _ABSOLUTE}
_LINK_LEVELS: Mapping[str, Reader] = {
    "not_found": _LEVEL,
    "absolute_links": _ABSOLUTE,
    "unrecognized_links": _LEVEL,
    "anchors": _LEVEL,
}

KEYS: Mapping[str, Reader] = {
    "site_name": text,
    "site_url": web_url,
    "site_description": text,
    "site_author": text,
    "repo_url": web_url,
    "repo_name": text,
    "edit_uri": _edit_uri,
    "edit_uri_template": _edit_uri_template,
    "docs_dir": _docs_dir,
    "exclude_docs": text,
    "draft_docs": text,
    "not_in_nav": text,
    "theme": theme,
    "plugins": plugins,
    "markdown_extensions": markdown_extensions,
    "extra": data_with(
        {
            "homepage": link,
            "social": list_of(data_with({"link": link})),
            "alternate": list_of(data_with({"link": link})),
        }
    ),
    "extra_css": list_of(_stylesheet),
    "use_directory_urls": flag,
    "strict": flag,
    "copyright": text,
    # MkDocs lets a level stand for both parts at once.
    "validation": record(
        {"nav": record(_NAV_LEVELS), "links": record(_LINK_LEVELS), **_NAV_LEVELS, **_LINK_LEVELS},
    ),
}

# Of no effect in a build: left out without a word.
WITHOUT_EFFECT = frozenset({"site_dir", "dev_addr", "watch", "remote_branch", "remote_name"})

REASONS: Mapping[str, Reason] = {
    "hooks": ("runs code of the documentation source", "ask the operator to allow a plugin that does the same"),
    "INHERIT": ("reads another file", "copy what it holds into this one"),
    "extra_javascript": ("is removed by Backstage's reader, too", "use a TechDocs addon of your Backstage"),
    "extra_templates": ("runs templates of the documentation source", "write the file itself below docs_dir"),
    "google_analytics": ("is no longer known to MkDocs", "write it as extra: analytics"),
    "pages": ("is no longer known to MkDocs", "rename it to 'nav'"),
}
