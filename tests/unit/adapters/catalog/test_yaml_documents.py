"""YAML of unknown authors: read as Backstage reads it, and never more than it is worth."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from techdocs_server.adapters.catalog.yaml_documents import MAX_NODES, Document, Unreadable, plain_value, read_documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("-12", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("9007199254740992", 2**53),
        ("9007199254740993", "9007199254740993"),
        ("1" * 10_000, "1" * 10_000),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("yes", "yes"),
        ("on", "on"),
        ("2026-11-24", "2026-11-24"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("v1", "v1"),
    ],
)
def test_plain_scalar_means_what_the_core_schema_says(text: str, value: object) -> None:
    assert plain_value(text) == value
    assert type(plain_value(text)) is type(value)


def test_documents_come_with_their_lines() -> None:
    text = "# first\na: 1\n---\nb: [x, {c: 'true'}]\n---\n---\n"
    assert list(read_documents(text)) == [
        Document(2, {"a": 1}),
        Document(3, {"b": ["x", {"c": "true"}]}),
        Document(5, None),
        Document(6, None),
    ]


def test_quotes_and_tags_decide_over_looks() -> None:
    (document,) = read_documents("a: '1'\nb: !!str 1\nc: !!int '1'\nd: ! 1\ne: |\n  true\nf: !!map {}\ng: !!seq []\n")
    assert document == Document(1, {"a": "1", "b": "1", "c": 1, "d": "1", "e": "true\n", "f": {}, "g": []})


def test_aliases_stand_for_what_they_name() -> None:
    (document,) = read_documents("a: &x [1, &y z]\nb: *x\n*y : *y\n&k key: *k\n")
    assert document == Document(1, {"a": [1, "z"], "b": [1, "z"], "z": "z", "key": "key"})


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2\n", 2, "the key 'a' stands twice in one mapping"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "the tag tag:yaml.org,2002:python/name:os.system is not supported"),
        ("a: !ENV HOME\n", 1, "the tag !ENV is not supported"),
        ("a: &x\n  - *x\n", 2, "the alias *x stands before or inside what it names"),
        ("? [a]\n: 1\n", 1, "the key of a mapping must be text"),
        ("a: &x [1]\n*x : 1\n", 2, "the key of a mapping must be text"),
    ],
)
def test_document_that_breaks_a_rule_does_not_take_the_others_along(text: str, line: int, message: str) -> None:
    assert list(read_documents(f"{text}---\nfine: 1\n")) == [
        Unreadable(line, message, ends_file=False),
        Document(text.count("\n") + 1, {"fine": 1}),
    ]


def test_broken_syntax_ends_the_file_after_what_came_before() -> None:
    first, second = read_documents("a: 1\n---\nb: [1\nc: 2\n")
    assert first == Document(1, {"a": 1})
    assert isinstance(second, Unreadable)
    assert (second.line, second.ends_file) == (4, True)
    assert second.message.startswith("not YAML: while parsing a flow sequence")


def test_control_characters_are_not_yaml() -> None:
    (found,) = read_documents("a: \x00\n")
    assert isinstance(found, Unreadable)
    assert found.message.startswith("not YAML: unacceptable character")


def test_aliases_of_aliases_are_counted_as_what_they_become() -> None:
    names = "abcdefghij"
    lines = [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairwise(names)]
    (found,) = read_documents("a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(lines))
    assert isinstance(found, Unreadable)
    assert found.message.startswith(f"larger than {MAX_NODES} values")


@pytest.mark.parametrize(
    "piece", ["[", "{", "{a: ", "- ", "? ", "[a]: ", "- &a x\n", "[]\n---\n", "'", "%a\n", "a:\n "]
)
def test_hostile_text_costs_little_time(piece: str) -> None:
    begin = time.process_time()
    for _ in read_documents(piece * (500_000 // len(piece))):
        pass
    assert time.process_time() - begin < 5


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_and_values_are_json(text: str) -> None:
    for found in read_documents(text):
        if isinstance(found, Document):
            json.dumps(found.value, allow_nan=False)
