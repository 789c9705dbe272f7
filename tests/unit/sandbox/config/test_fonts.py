"""An operator's choice that no site asks other hosts for fonts."""

from __future__ import annotations

import pytest
import yaml
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.config.rewrite import new_config
from techdocs_server.sandbox.config.theme import without_fonts

_MATERIAL = {"name": "material", "font": False}


@pytest.mark.parametrize(
    ("chosen", "made"),
    [
        (None, _MATERIAL),
        ("material", _MATERIAL),
        ("readthedocs", _MATERIAL),
        ({"name": "material", "language": "de"}, {**_MATERIAL, "language": "de"}),
        ({"name": "material", "font": {"text": "Lato"}}, _MATERIAL),
        ({"name": "mkdocs"}, _MATERIAL),
    ],
)
def test_theme_without_fonts_keeps_the_other_choices(chosen: object, made: object) -> None:
    assert without_fonts(chosen) == made


@pytest.mark.parametrize(("external", "theme"), [(True, None), (False, _MATERIAL)])
def test_site_without_a_configuration_follows_the_policy(*, external: bool, theme: object) -> None:
    made = new_config("mkdocs.yml", site_name="x", policy=ConfigPolicy(external_fonts=external), edit=None)
    assert yaml.safe_load(made.files["mkdocs.yml"]).get("theme") == theme
