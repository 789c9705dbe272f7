"""YAML of strangers: what is read, what is refused, and where the author is sent."""

from __future__ import annotations

import datetime
import time

import pytest
from techdocs_server.sandbox.config.findings import ConfigProblem, Findings
from techdocs_server.sandbox.config.nodes import ListNode, MapNode, Node, Scalar
from techdocs_server.sandbox.config.yaml_reading import (
    MAX_ALIASES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    read_yaml,
)


def read(text: str | bytes) -> tuple[object, list[tuple[str, int]]]:
    """Return plain values and warnings."""
    findings = Findings()
    content = text.encode() if isinstance(text, str) else text
    node = read_yaml(content, file="mkdocs.yml", findings=findings)
    return None if node is None else plain(node), [(warning.message, warning.line) for warning in findings]


def plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    if isinstance(node, MapNode):
        return {entry.key.value: plain(entry.node) for entry in node.entries}
    return (node.tag, plain(node.content))


def problem(text: str | bytes) -> ConfigProblem:
    with pytest.raises(ConfigProblem) as caught:
        read(text)
    assert caught.value.file == "mkdocs.yml"
    assert not caught.value.is_refused
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("\ufeffa: 1", {"a": 1}),
        ("[1, 1.5, true, ~, text, '1', 0x10]", [1, 1.5, True, None, "text", "1", 16]),
        ("2026-01-31", datetime.date(2026, 1, 31)),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("a: {<<: [{k: 1}, {k: 2, l: 3}]}", {"a": {"k": 1, "l": 3}}),
        ("!!str 5", "5"),
        ("[=, '<<']", ["=", "<<"]),
        ("!ENV [X, y]", ("!ENV", ["X", "y"])),
        ("!!python/name:os.system", ("!!python/name:os.system", "")),
        ("%TAG ! tag:yaml.org,2002:python/\n--- !name:os.system ''", ("!!python/name:os.system", "")),
        ("!!set {a}", ("!!set", {"a": None})),
    ],
)
def test_values_are_those_of_yaml_and_tags_stay_unmade(text: str, value: object) -> None:
    assert read(text) == (value, [])


def test_key_that_stands_twice_is_warned_of_and_the_last_one_counts() -> None:
    value, warnings = read("a: 1\nb: 2\na: 3\n")
    assert value == {"a": 3, "b": 2}
    assert warnings == [("the key 'a' stands twice in one place; the last one counts", 3)]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: b: c", "not valid YAML", 1),
        ("a:\n  - b\n - c\n", 'in "mkdocs.yml", line 3, column 2', 3),
        ("a: *nowhere", "undefined alias", 1),
        ("a: 1\n---\nb: 2\n", "more than one document", 2),
        ("a: \x01", "not text that YAML allows", 0),
        ("? [a]\n: b", "a key that is not plain text", 1),
        ("<<: 5", "a merge key '<<' without a mapping", 1),
        ("a: 2026-13-45", "not a number or date", 1),
        ("a: " + "9" * 200, "a number of more than 100 characters", 1),
        ("x: 1\na: &a [*a]", "once its aliases are followed", 2),
        ("[" * (MAX_DEPTH + 1), "levels deep", 1),
        ("- x\n" * MAX_NODES, f"more than {MAX_NODES} values", MAX_NODES),
        ("a: &a 1\nb:\n" + "- *a\n" * (MAX_ALIASES + 1), f"more than {MAX_ALIASES} aliases", MAX_ALIASES + 3),
        ("#" * MAX_BYTES + "#", f"more than {MAX_BYTES} bytes", 0),
    ],
)
def test_what_is_no_bounded_document_is_refused_with_its_line(text: str, words: str, line: int) -> None:
    found = problem(text)
    assert words in found.message
    assert found.line == line


@pytest.mark.parametrize("content", [b"a: 1\nb: \xff\n", "a: 1".encode("utf-16")])
def test_what_is_not_utf8_is_refused(content: bytes) -> None:
    found = problem(content)
    assert found.message == "mkdocs.yml is not UTF-8 text"
    assert found.hint == "save it as UTF-8"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 30)
)


@pytest.mark.parametrize("text", [BOMB, "[" * 200_000, "{a: " * 100_000, "&a " * 100_000, "- " * 300_000])
def test_bombs_end_soon(text: str) -> None:
    started = time.monotonic()
    problem(text)
    assert time.monotonic() - started < 10
