"""Listing a theme's files quickly finds the same files for MkDocs."""

from __future__ import annotations

from pathlib import Path

import jinja2
from mkdocs.config import load_config
from mkdocs.structure.files import Files
from techdocs_server.sandbox.rendering.theme_files import list_quickly

from tests.support.sites import mkdocs_config, write_files


def test_the_files_that_mkdocs_takes_from_the_theme_are_the_same(tmp_path: Path) -> None:
    write_files(tmp_path, {"mkdocs.yml": mkdocs_config(theme={"name": "material"}), "docs/index.md": "# x\n"})
    own = write_files(tmp_path / "own", {"assets/more.css": "", ".hidden/x.css": "", "assets/.x.css": "", "a.html": ""})
    config = load_config(str(tmp_path / "mkdocs.yml"))
    config.theme.dirs.append(str(own))

    def found(*, quickly: bool) -> list[tuple[str, str | None]]:
        env, files = config.theme.get_env(), Files([])
        if quickly:
            list_quickly(env)
        files.add_files_from_theme(env, config)
        return [(file.src_uri, file.abs_src_path) for file in files]

    plain = found(quickly=False)
    assert len(plain) > 40
    assert ("assets/more.css", str(own / "assets" / "more.css")) in plain
    assert found(quickly=True) == plain
    write_files(own, {"assets/new.css": ""})
    assert found(quickly=True) == found(quickly=False) != plain, "only what is installed is remembered"


def test_another_kind_of_loader_is_left_alone() -> None:
    env = jinja2.Environment(loader=jinja2.DictLoader({"a": ""}), autoescape=True)
    loader = env.loader
    list_quickly(env)
    assert env.loader is loader
