"""Documentation that shows in a browser what it has: pictures with a size, a font of its own, a word to look for."""

from __future__ import annotations

import base64

from tests.support.sites import RICH_PAGES, Files, mkdocs_config

BOX_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="60"><rect width="120" height="60" fill="#c33"/></svg>'
)

# A font whose only letter, A, is two ems wide, as no other font has it.
WIDE_FONT = base64.b64decode(
    "d09GMgABAAAAAAEYAAoAAAAAAmQAAADSAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAABmAANAoYOgE2AiQDCAsGAAQgBVcHJhvMARCeh7GxsvFNNG3odiB+"
    "DwjxfP1ed+6+Tae08VUjsUysjrY0ISPR9PGg/ztN793T8fZ0JkoixtgzKkjeFFnB0cnxiQKMJaC2JPBAAtQ00AADjCC3MVx6BJ9E+/XaaPR7mGmiAA9S"
    "2GJ9l6AwcGEILrRLtBZsp8nPTa8CoEAjaKwADUhnN/sWPC4AgvDm3Nkx/S/H+IWfesfSYl8xFAjjcprFHvAAUfmb5wSlBRQAANq9gGgElIU2pFdiaVNZ"
    "jpwfafaQuoNqIYlUnuEuFLr7LQ=="
)

PAGES: Files = {
    **RICH_PAGES,
    "docs/guides/pictures.md": "# Pictures\n\n![box](../images/box.svg)\n\n![flow](../images/flow.png)\n\nA zanzibar.\n",
    "docs/images/box.svg": BOX_SVG,
    "docs/wide.md": '# Wide\n\n<span class="wide">AAAA</span>\n',
    "docs/extra.css": '@font-face { font-family: Wide; src: url("wide.woff2"); }\n.wide { font: 16px Wide }\n',
    "docs/wide.woff2": WIDE_FONT,
}


def configuration(**options: object) -> str:
    """Return the mkdocs.yml of a site with all that Material does for readers in a browser."""
    features = ["content.code.copy", "navigation.instant", "search.suggest"]
    return mkdocs_config(
        "Payments",
        **{
            "site_description": "Takes money",
            "plugins": ["search", {"techdocs-core": {"use_material_search": True}}],
            "theme": {"name": "material", "features": features, "font": False},
            "extra_css": ["extra.css"],
            **options,
        },
    )
