"""Diagrams become code; everything else stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from techdocs_server.sandbox.diagram_code import GraphvizAsCode, PlantUMLAsCode, SourceWatcher


def shown(kind: type[GraphvizAsCode | PlantUMLAsCode], text: str) -> tuple[str, list[str]]:
    told: list[str] = []
    return "\n".join(kind(told.append).run(text.split("\n"))), told


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```plantuml\nA\n```", "```plantuml\nA\n```"),
        ("~~~ uml\nA\n~~~\nrest", "~~~uml\nA\n~~~\nrest"),
        ("  ```{.c4plantuml format='png'}\n  A\n  ```", "  ```c4plantuml\n  A\n  ```"),
        ('```plantuml id="x" classes="a b" alt="c" source="x.puml"\n\n```', "```plantuml\n\n```"),
        ("::uml:: format='svg'\nA\n::end-uml::\nrest", "```plantuml\nA\n```\nrest"),
        ("::uml::\n```\n::end-uml::", "````plantuml\n```\n````"),
        ("::uml::\nnever closed", "```plantuml\nnever closed\n```"),
    ],
)
def test_plantuml_is_shown_as_code(text: str, code: str) -> None:
    assert shown(PlantUMLAsCode, text) == (code, [f"a diagram ({code.strip(' `~').partition(chr(10))[0]})"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{% dot a.svg\ndigraph {}\n%}", "```dot\ndigraph {}\n```"),
        ("{% neato a.png\ndigraph {} %}\nrest", "```dot\ndigraph {} \n```\nrest"),
        ("```graphviz dot a.svg\ndigraph {}\n```", "```dot\ndigraph {}\n```"),
    ],
)
def test_graphviz_is_shown_as_code(text: str, code: str) -> None:
    assert shown(GraphvizAsCode, text) == (code, ["a diagram (dot)"])


@pytest.mark.parametrize("kind", [PlantUMLAsCode, GraphvizAsCode])
@pytest.mark.parametrize(
    "text",
    [
        "````markdown\n```plantuml\nA\n```\n````",
        "```text\n{% dot a.svg\n%}\n::uml::\n```",
        "````plantuml\nA\n````",
        "```umlaut\nA\n```",
        "```mermaid\nA\n```",
        "```dot\ndigraph {}\n```",
        "{% raw %}\n{% sh a.svg\n%}",
        "text with ```plantuml``` in it",
    ],
)
def test_other_code_is_left_alone(kind: type[GraphvizAsCode | PlantUMLAsCode], text: str) -> None:
    assert shown(kind, text) == (text, [])


def test_pictures_in_pages_are_wrapped_as_the_extension_does() -> None:
    assert shown(GraphvizAsCode, "<svg a></svg>")[0] == "<div><svg a></svg></div>"


def test_source_of_a_diagram_is_warned_of() -> None:
    told: list[str] = []
    lines = ['```plantuml source="a.puml"', "```", '::uml:: source="b.puml"', 'text source="c"', "```plantuml", "```"]
    assert SourceWatcher(told.append).run(lines) == lines
    assert len(told) == 2


@given(st.text(alphabet="`~:{}% \numlpantdoe-sgrhvizx.", max_size=200))
def test_no_page_breaks_the_reader(text: str) -> None:
    shown(PlantUMLAsCode, text)
    shown(GraphvizAsCode, text)
