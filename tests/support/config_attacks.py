"""What hostile authors write into their sources, and how a test sees that it worked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from techdocs_server.sandbox.config.policy import ConfigPolicy

from tests.support.config_builds import BuiltSite
from tests.support.sites import Files, write_files

MARKER = "only-the-server-knows"
PAGES: Files = {"docs/index.md": "# Home\n\nText.\n"}


@dataclass(frozen=True, slots=True)
class Scene:
    """Things outside of the source that an attack may get at. ``hits`` counts requests to ``url``."""

    folder: Path
    url: str
    hits: Callable[[], int]

    @property
    def outside(self) -> Path:
        """Files beside the source that hold what only the server knows."""
        return self.folder / "outside"

    @property
    def commands(self) -> Path:
        """Commands of the machine: each says that it ran, then repeats its input."""
        return self.folder / "commands"

    @property
    def canary(self) -> Path:
        """A folder that is there when an attack could make one."""
        return self.folder / "reached"

    def prepare(self) -> None:
        """Write what is outside."""
        write_files(
            self.outside,
            {
                "secret.md": f"# {MARKER}\n",
                "index.md": f"# {MARKER}\n",
                "docs/index.md": f"# {MARKER}\n",
                "secret.png": MARKER,
                "icons/only-here.svg": f"<svg><title>{MARKER}</title></svg>",
                "mkdocs.yml": f"site_name: {MARKER}\n",
            },
        )
        for name in ("dot", "plantuml", "node", "anything"):
            write_files(self.commands, {name: f"#!/bin/sh\nmkdir -p {self.canary}\ncat\n"})
            (self.commands / name).chmod(0o755)

    def is_reached(self, built: BuiltSite | None) -> bool:
        """Whether an attack got at anything."""
        encoded = base64.b64encode(MARKER.encode()).decode()
        in_site = built is not None and (built.holds(MARKER) or built.holds(encoded) or built.holds("techdocs-build-"))
        return in_site or self.canary.exists() or self.hits() > 0


@dataclass(frozen=True, slots=True)
class Attack:
    """A source that reaches out of itself, and what the author is told: part of a warning, or of the failure."""

    name: str
    files: Callable[[Scene], Files]
    told: str
    fails: bool = False
    policy: ConfigPolicy = field(default_factory=ConfigPolicy)


class Raw(str):
    """A part of a configuration that is YAML already."""


def site(_name: str = "Demo", /, *, pages: Files = PAGES, **options: object) -> Files:
    """Return a source with these options; a `Raw` value is written as it is."""
    document = {"site_name": _name, "plugins": ["techdocs-core"], **options}
    raw = {key: value for key, value in document.items() if isinstance(value, Raw)}
    plain = {key: value for key, value in document.items() if key not in raw}
    text = yaml.safe_dump(plain, sort_keys=False) + "".join(f"{key}: {value}\n" for key, value in raw.items())
    return {**pages, "mkdocs.yml": text}


def page(text: str) -> Files:
    """Return a front page."""
    return {"docs/index.md": f"# Home\n\n{text}\n"}


def _makes_folder(scene: Scene) -> str:
    return f"!!python/object/apply:os.mkdir ['{scene.canary}']"


def _template(scene: Scene) -> str:
    return f"{{{{ cycler.__init__.__globals__.os.mkdir('{scene.canary}') }}}}"


def _monorepo(nav: str, **included: str) -> Files:
    files: Files = {"part/docs/index.md": "# Part\n"}
    return {
        **site(nav=[{"Home": "index.md"}, {"Part": nav}]),
        **files,
        "part/mkdocs.yml": "site_name: part\n" + "".join(f"{key}: {value}\n" for key, value in included.items()),
    }


_UML = "```plantuml\nA -> B\n```"
_DOT = "{% dot graph.svg\n digraph { a -> b }\n%}"

ATTACKS = [
    Attack(
        "hooks",
        lambda scene: {**site(hooks=["hook.py"]), "hook.py": f"import os; os.mkdir({str(scene.canary)!r})\n"},
        "'hooks' was left out",
    ),
    Attack(
        "a call in YAML",
        lambda scene: site(extra=Raw(f"{{x: {_makes_folder(scene)}}}")),
        "'extra: x' was left out: it uses !!python/object/apply:os.mkdir",
    ),
    Attack(
        "a call in YAML where another one is allowed",
        lambda scene: site(markdown_extensions=Raw(f"[{{toc: {{slugify: {_makes_folder(scene)}}}}}]")),
        "'markdown_extensions: toc: slugify' was left out",
    ),
    Attack(
        "a call in an included configuration",
        lambda scene: _monorepo("!include ./part/mkdocs.yml", extra=f"{{x: {_makes_folder(scene)}}}"),
        "'extra: x' was left out",
    ),
    Attack(
        "a call in a configuration included by a pattern",
        lambda scene: _monorepo("*include ./*/mkdocs.yml", extra=f"{{x: {_makes_folder(scene)}}}"),
        "'extra: x' was left out",
    ),
    Attack(
        "environment variables",
        lambda _scene: site(copyright=Raw("!ENV HOME")),
        "'copyright' was left out: it uses !ENV",
    ),
    Attack(
        "a configuration outside",
        lambda scene: {**PAGES, "mkdocs.yml": f"INHERIT: {scene.outside}/mkdocs.yml\n"},
        "INHERIT reads another file",
        fails=True,
    ),
    Attack("an absolute docs_dir", lambda scene: site(docs_dir=f"{scene.outside}/docs"), "docs_dir leads", fails=True),
    Attack("docs_dir beside the source", lambda _: site(docs_dir="../../outside/docs"), "docs_dir leads", fails=True),
    Attack(
        "an include outside",
        lambda scene: _monorepo(f"!include {scene.outside}/mkdocs.yml"),
        "nav leads out",
        fails=True,
    ),
    Attack(
        "an included site's docs_dir",
        lambda _: _monorepo("!include ./part/mkdocs.yml", docs_dir="../../../outside/docs"),
        "docs_dir leads",
        fails=True,
    ),
    Attack(
        "an included site's name",
        lambda _: {
            **_monorepo("!include ./part/mkdocs.yml"),
            "part/mkdocs.yml": "site_name: ../../../../reached\n",
        },
        "cannot be the folder of an included site",
        fails=True,
    ),
    Attack(
        "redirects out of the site",
        lambda _: site(
            plugins=["techdocs-core", {"redirects": {"redirect_maps": {"../../reached.md": "https://example.org"}}}]
        ),
        "redirect_maps: ../../reached.md' was left out",
    ),
    Attack(
        "markup in the target of a redirect",
        lambda _: site(
            plugins=[
                "techdocs-core",
                {"redirects": {"redirect_maps": {"a.md": f"https://x.example/'><script>{MARKER}</script>"}}},
            ]
        ),
        "redirect_maps: a.md' was left out",
    ),
    Attack(
        "templates of the source",
        lambda scene: {
            **site(theme={"name": "material", "custom_dir": "overrides"}),
            "overrides/main.html": _template(scene),
        },
        "'theme: custom_dir' was left out",
    ),
    Attack(
        "extra templates",
        lambda scene: {**site(extra_templates=["x.html"]), "docs/x.html": _template(scene)},
        "'extra_templates' was left out",
    ),
    Attack(
        "snippets from outside",
        lambda scene: site(
            pages=page('--8<-- "secret.md"'),
            markdown_extensions=[{"pymdownx.snippets": {"base_path": [str(scene.outside)]}}],
        ),
        "'markdown_extensions: pymdownx.snippets: base_path' was left out",
    ),
    Attack(
        "snippets from the network",
        lambda scene: site(
            pages=page(f'--8<-- "{scene.url}/page"'),
            markdown_extensions=[{"pymdownx.snippets": {"url_download": True}}],
        ),
        "url_download' was left out: it fetches",
    ),
    Attack(
        "pictures from outside",
        lambda scene: site(
            pages=page(f'<img src="{scene.outside}/secret.png">'),
            markdown_extensions=[{"pymdownx.b64": {"root_path": "/"}}],
        ),
        "root_path' was left out",
    ),
    Attack(
        "icons from outside",
        lambda scene: site(
            pages=page(":only-here:"),
            markdown_extensions=Raw(
                "[{pymdownx.emoji: {emoji_index: !!python/name:material.extensions.emoji.twemoji '',"
                " emoji_generator: !!python/name:material.extensions.emoji.to_svg '',"
                f" options: {{custom_icons: [{scene.outside}/icons]}}}}}}]"
            ),
        ),
        "custom_icons' was left out",
    ),
    Attack(
        "a diagram server",
        lambda scene: site(pages=page(_UML), markdown_extensions=[{"plantuml_markdown": {"server": scene.url}}]),
        "server' was left out: it sends diagrams to another server",
    ),
    Attack(
        "a diagram command",
        lambda scene: site(
            pages=page(_UML),
            markdown_extensions=[{"plantuml_markdown": {"plantuml_cmd": f"{scene.commands}/anything"}}],
        ),
        "plantuml_cmd' was left out: it runs a command",
    ),
    Attack(
        "a folder for diagrams",
        lambda scene: site(
            pages=page(_UML), markdown_extensions=[{"plantuml_markdown": {"cachedir": str(scene.canary)}}]
        ),
        "cachedir' was left out",
    ),
    Attack("a PlantUML diagram", lambda _: site(pages=page(_UML)), "a diagram (plantuml) is shown as code"),
    Attack("a Graphviz diagram", lambda _: site(pages=page(_DOT)), "a diagram (dot) is shown as code"),
    Attack(
        "a diagram's source outside, where diagrams run",
        lambda scene: site(pages=page(f'```plantuml format="txt" source="{scene.outside}/secret.md"\n\n```')),
        "the 'source' of a diagram is not read",
        policy=ConfigPolicy(diagrams=True),
    ),
    Attack(
        "a plugin that fetches",
        lambda scene: site(
            pages=page(f'<img src="{scene.url}/picture.png">'),
            theme="material",
            plugins=["techdocs-core", "privacy"],
        ),
        "'plugins: privacy' was left out",
    ),
    Attack(
        "a plugin that fetches, in a group",
        lambda scene: site(
            pages=page(f'<img src="{scene.url}/picture.png">'),
            theme="material",
            plugins=["techdocs-core", {"group": {"enabled": True, "plugins": ["privacy"]}}],
        ),
        "'plugins: group: plugins: privacy' was left out",
    ),
    Attack(
        "a command that builds the search index",
        lambda _: site(plugins=[{"search": {"prebuild_index": "node"}}, "techdocs-core"]),
        "prebuild_index' was left out: it runs a command",
    ),
    Attack(
        "script in the navigation",
        lambda _: site(nav=[{"Home": "index.md"}, {"Run": f"javascript:alert('{MARKER}')"}]),
        "'nav: Run' was left out",
    ),
    Attack(
        "script in a social link",
        lambda _: site(
            theme="material",
            extra={"social": [{"icon": "material/link", "link": f"javascript:alert('{MARKER}')"}]},
        ),
        "'extra: social: link' was left out",
    ),
]
