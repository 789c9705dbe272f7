"""Values of front matter and configurations as data."""

from __future__ import annotations

import datetime
import functools
import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from techdocs_server.sandbox.rendering.values import NotPlain, decode, digest, encode, named

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.dates(),
    st.datetimes().map(lambda time: time.replace(fold=0)),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_scalars, inner, max_size=4)),
    max_leaves=20,
)


@given(_values)
def test_every_value_comes_back_with_its_types(value: object) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert back == value
    assert repr(back) == repr(value)


def test_a_key_that_looks_like_our_own_mark_comes_back() -> None:
    value = {"\x00": ["dict", [[1, 2]]], "x": {"\x00": 1}}
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), (1,), re.compile("x")])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(NotPlain):
        encode([value])


def test_aliases_without_end_are_refused_at_once() -> None:
    bomb = yaml.safe_load("a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 8)}]\n" for before, name in zip("bcdefgh", "cdefghi", strict=True)
    ))  # fmt: skip
    with pytest.raises(NotPlain, match="too many parts"):
        encode(bomb)
    loop = yaml.safe_load("&a [*a]")
    with pytest.raises(NotPlain, match="too many parts"):
        encode(loop)


def outer(value: int) -> object:
    def inner() -> int:
        return value

    return inner


def test_names_tell_values_and_types_apart() -> None:
    values = [
        1,
        True,
        "1",
        1.0,
        None,
        [1],
        ["1"],
        {"a": 1},
        {"a": 2},
        {1},
        outer(1),
        outer(2),
        outer,
        datetime.date.today(),
    ]
    values += [functools.partial(outer, 1), functools.partial(outer, 2), re.compile("a"), re.compile("a", re.I)]
    names = [digest(named(value)) for value in values]
    assert len(set(names)) == len(values)
    assert named({"b": 1, "a": 2}) != named({"a": 2, "b": 1})


def test_an_object_has_no_stable_name() -> None:
    with pytest.raises(NotPlain):
        named({"x": object()})
