"""What is kept stays within its bound, and is dropped by site."""

from __future__ import annotations

import random

import pytest
from techdocs_bridge.page_cache.access_decisions import Part
from techdocs_bridge.page_cache.answer_store import ENTRY_BYTES, Answer, AnswerStore, Key

_KIB = 1024


def answer(site: str = "a", etag: str = '"1"', body: bytes = b"x" * 10 * _KIB) -> Answer:
    return Answer(site, Part.CONTENT, 200, [(b"etag", etag.encode())], etag, body)


def key(*parts: str) -> Key:
    return tuple(part.encode() for part in parts)


def test_never_more_than_the_bound() -> None:
    store = AnswerStore(100 * _KIB)
    chance = random.Random(7)
    for turn in range(2000):
        number = chance.randrange(200)
        body = bytes([number]) * (1 + number * 64)
        store.put(key("page", str(number), str(turn % 3)), answer(str(number % 5), f'"{number}"', body))
        assert store.held_bytes <= 100 * _KIB
        if turn % 100 == 0:
            store.drop(str(chance.randrange(5)))
    for site in range(5):
        store.drop(str(site))
    assert store.held_bytes == 0
    assert len(store) == 0


def test_least_recently_used_goes_first() -> None:
    store = AnswerStore(2 * (10 * _KIB + ENTRY_BYTES + _KIB))
    for number in (1, 2):
        store.put(key(str(number)), answer(etag=f'"{number}"', body=bytes([number]) * 10 * _KIB))
    store.get(key("1"))
    store.put(key("3"), answer(etag='"3"', body=b"3" * 10 * _KIB))
    assert store.get(key("2")) is None
    assert store.get(key("1")) is not None
    assert store.get(key("3")) is not None


def test_body_that_answers_share_counts_once() -> None:
    store = AnswerStore(_KIB * _KIB)
    store.put(key("one host"), answer())
    alone = store.held_bytes
    store.put(key("another host"), answer(body=b"x" * 10 * _KIB))
    assert store.held_bytes - alone < 3 * _KIB
    first, second = store.get(key("one host")), store.get(key("another host"))
    assert first is not None
    assert second is not None
    assert first.body is second.body


def test_body_stays_while_one_answer_has_it() -> None:
    store = AnswerStore(_KIB * _KIB)
    store.put(key("1"), answer())
    store.put(key("2"), answer())
    store.put(key("1"), answer(etag='"other"', body=b"y"))
    kept = store.get(key("2"))
    assert kept is not None
    assert kept.body == b"x" * 10 * _KIB


def test_two_contents_with_one_tag_are_refused() -> None:
    store = AnswerStore(_KIB * _KIB)
    store.put(key("1"), answer())
    with pytest.raises(ValueError, match="entity tag"):
        store.put(key("2"), answer(body=b"other"))


def test_what_is_larger_than_everything_is_not_kept() -> None:
    store = AnswerStore(5 * _KIB)
    store.put(key("1"), answer())
    assert len(store) == 0
    assert store.held_bytes == 0
