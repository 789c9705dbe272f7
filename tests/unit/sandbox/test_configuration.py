"""techdocs-core is added to plugins of any shape, exactly where it is missing."""

from __future__ import annotations

import pytest
from techdocs_server.sandbox.configuration import with_core_plugin


@pytest.mark.parametrize(
    ("plugins", "used"),
    [
        (None, ["techdocs-core"]),
        ([], ["techdocs-core"]),
        (["search", {"redirects": {"a": 1}}], ["search", {"redirects": {"a": 1}}, "techdocs-core"]),
        ({"search": None}, {"search": None, "techdocs-core": {}}),
        ({}, {"techdocs-core": {}}),
    ],
)
def test_plugin_is_added_after_the_authors(plugins: object, used: object) -> None:
    assert with_core_plugin(plugins) == used


@pytest.mark.parametrize(
    "plugins",
    [
        ["techdocs-core", "search"],
        [{"techdocs-core": {"use_material_search": True}}],
        ["/techdocs-core"],
        {"techdocs-core": None},
        "search",
        7,
    ],
)
def test_list_with_the_plugin_and_what_is_no_list_stay_as_they_are(plugins: object) -> None:
    assert with_core_plugin(plugins) is None
