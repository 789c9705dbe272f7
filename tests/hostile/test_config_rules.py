"""Sources that reach out of themselves through their configuration or their pages.

Isolation is off in all of these: the rules alone hold. For each attack the same
source, built with the author's own configuration, shows that it would work.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.launch import DEFAULT_SEARCH_PATH

from tests.support.config_attacks import ATTACKS, Attack, Scene, page, site
from tests.support.config_builds import TRUSTING, BuiltSite, ConfigBuilds
from tests.support.web_server import web_server


def name_of(attack: Attack) -> str:
    return attack.name


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with web_server() as server:
        scene = Scene(tmp_path, server.url, lambda: len(server.requests))
        scene.prepare()
        yield scene


@pytest.fixture
def builds(tmp_path: Path) -> ConfigBuilds:
    return ConfigBuilds(tmp_path)


async def build(builds: ConfigBuilds, attack: Attack, scene: Scene, policy: ConfigPolicy) -> BuiltSite:
    path = f"{scene.commands}:{DEFAULT_SEARCH_PATH}"
    return await builds.build(attack.files(scene), policy=policy, search_path=path)


@pytest.mark.parametrize("attack", [each for each in ATTACKS if not each.fails], ids=name_of)
async def test_attack_is_left_out_and_its_author_is_told(attack: Attack, scene: Scene, builds: ConfigBuilds) -> None:
    built = await build(builds, attack, scene, attack.policy)
    assert attack.told in built.messages
    # Where diagrams run, the fake command says so; what it must not get is the marker.
    if attack.policy.diagrams:
        scene.canary.rmdir()
    assert not scene.is_reached(built)


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.fails], ids=name_of)
async def test_attack_that_cannot_be_left_out_is_refused(attack: Attack, scene: Scene, builds: ConfigBuilds) -> None:
    failure = await builds.failure(attack.files(scene))
    assert attack.told in failure.problem
    assert failure.reason is BuildFailureReason.CONFIG_REFUSED
    assert failure.file
    assert failure.line > 0
    assert failure.hint
    assert not scene.is_reached(None)


@pytest.mark.parametrize("attack", ATTACKS, ids=name_of)
async def test_attack_works_without_the_rules(attack: Attack, scene: Scene, builds: ConfigBuilds) -> None:
    built = None
    try:
        built = await build(builds, attack, scene, TRUSTING)
    except BuildStepFailed:
        # What an attack leaves behind often breaks the rest of the build.
        assert not attack.policy.diagrams
    assert scene.is_reached(built)


async def test_operator_may_let_diagrams_run(scene: Scene, builds: ConfigBuilds) -> None:
    attack = next(each for each in ATTACKS if each.name == "a PlantUML diagram")
    await build(builds, attack, scene, ConfigPolicy(diagrams=True))
    assert scene.canary.exists()


async def test_template_in_front_matter_is_one_of_the_theme(builds: ConfigBuilds) -> None:
    pages = {
        "docs/index.md": "---\ntemplate: ../../../docs/evil.html\n---\n# Home\n",
        "docs/own.md": "---\ntemplate: blog.html\n---\n# Own\n",
        "docs/evil.html": "{{ 7 * 19111 }}",
    }
    built = await builds.build(site(pages=pages))
    assert [(warning.file, warning.line) for warning in built.warnings] == [("docs/index.md", 0)]
    assert "the template '../../../docs/evil.html' is not one of the theme" in built.messages
    assert not built.holds("133777")
    failure = await builds.failure(site(pages=pages), policy=TRUSTING)
    assert "evil.html" in failure.problem


def bomb(levels: int) -> str:
    """Return front matter whose description has 9 to the power of some levels of words."""
    names = "abcdefgh"[:levels]
    lines = [f"a: &a [{', '.join('x' * 9)}]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise(names)]
    return "---\n" + "\n".join(lines) + f"\ndescription: *{names[-1]}\n---\n# Home\n"


@pytest.mark.parametrize("front", [bomb(8), "---\na: &a [*a]\n---\n# Home\n"], ids=["nine to the eighth", "endless"])
async def test_front_matter_without_end_is_left_out(builds: ConfigBuilds, front: str) -> None:
    built = await builds.build(site(pages={"docs/index.md": front}))
    [warning] = built.warnings
    assert warning.file == "docs/index.md"
    assert "too many values" in warning.message
    assert built.holds("Home")


async def test_front_matter_within_bounds_is_written_out(builds: ConfigBuilds) -> None:
    built = await builds.build(site(pages={"docs/index.md": bomb(3)}))
    assert built.warnings == ()
    assert built.holds("&#39;x&#39;, &#39;x&#39;, &#39;x&#39;") or built.holds("['x', 'x', 'x'")


PAGES_ALONE = [
    '--8<-- "../../outside/secret.md"',
    '--8<-- "{scene.outside}/secret.md"',
    '--8<-- "{scene.url}/page"',
    "--8<--\n../outside/secret.md\n../../outside/secret.md\n--8<--",
    "![x](../../outside/secret.png)",
    "``` {{.python cssfile={scene.canary}/x full=1}}\nx\n```",
    "    :::python cssfile={scene.canary}/x\n    x",
    "[x](../../outside/secret.md)",
]


async def test_pages_alone_reach_nothing(scene: Scene, builds: ConfigBuilds) -> None:
    text = "\n\n".join(PAGES_ALONE).format(scene=scene)
    extensions = ["codehilite", "fenced_code", "pymdownx.b64", "pymdownx.snippets"]
    built = await builds.build(site(pages=page(text), markdown_extensions=extensions))
    assert not scene.is_reached(built)


async def test_templates_in_pages_are_text(builds: ConfigBuilds) -> None:
    built = await builds.build(site(pages=page("{{ 7 * 19111 }} {% raw %}")))
    assert "{{ 7 * 19111 }}" in built.page("index.html")


async def test_our_metadata_wins_over_the_authors(builds: ConfigBuilds) -> None:
    pages = {"docs/index.md": "# Home\n", "docs/techdocs_metadata.json": '{"site_name": "Forged"}'}
    built = await builds.build(site(pages=pages))
    assert b"Forged" not in built.files["techdocs_metadata.json"]
    assert "techdocs_metadata.json was left out" in built.messages


async def test_diagrams_without_their_commands_are_shown_as_code(builds: ConfigBuilds) -> None:
    uml, dot = "```plantuml\nA -> B\n```", "{% dot x.svg\ndigraph { a -> b }\n%}"
    pages = {**page(f"{uml}\n\nAfter."), "docs/dot.md": f"# Dot\n\n{dot}\n\nAfter.\n"}
    built = await builds.build(site(pages=pages), policy=ConfigPolicy(diagrams=True), search_path="/nonexistent")
    advice = "is not installed; use a mermaid fence, or commit the picture"
    assert {(warning.file, warning.message) for warning in built.warnings} == {
        ("docs/index.md", f"a diagram (plantuml) is shown as code: plantuml {advice}"),
        ("docs/dot.md", f"a diagram (dot) is shown as code: dot {advice}"),
    }
    for path in ("index.html", "dot/index.html"):
        assert '<div class="language-' in built.page(path)
        assert "After." in built.page(path)
    failure = await builds.failure(site(pages=pages), policy=TRUSTING)
    assert "Failed to run plantuml" in failure.problem
