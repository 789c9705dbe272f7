"""When an answer may be kept and used: the invariants at the top of `currency`."""

from __future__ import annotations

import pytest
from techdocs_bridge.page_cache.access_decisions import Part
from techdocs_bridge.page_cache.answer_store import Answer, AnswerStore, Key
from techdocs_bridge.page_cache.currency import SiteCurrency, Ticket

SITE, OTHER = "default/component/a", "default/component/b"
OLD, NEW = "0" * 64, "1" * 64
SETTLE, SILENCE = 5.0, 13.0


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Cache:
    """A currency that hears, and short words for what is done to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = AnswerStore(1_000_000)
        self.currency = SiteCurrency(self.store, settle_seconds=SETTLE, silence_seconds=SILENCE, clock=self.clock)
        self.currency.began()
        self.clock.now += SETTLE

    def ask(self, site: str = SITE) -> Ticket:
        ticket = self.currency.begin(site)
        assert ticket is not None
        return ticket

    def answered(self, ticket: Ticket, revision: str, path: str = "index.html") -> bool:
        """Let a call be answered, as the observer and the recording do."""
        self.currency.seen(ticket.site, revision)
        body = f"{path} of {revision}"
        answer = Answer(ticket.site, Part.CONTENT, 200, [], f'"{body}"', body.encode())
        return self.currency.keep(ticket, revision, key_of(ticket.site, path), answer)

    def read(self, revision: str, site: str = SITE, path: str = "index.html") -> bool:
        return self.answered(self.ask(site), revision, path)

    def held(self, site: str = SITE, path: str = "index.html") -> bytes | None:
        answer = self.currency.get(key_of(site, path))
        return answer.body if answer else None


def key_of(site: str, path: str) -> Key:
    return (site.encode(), path.encode())


@pytest.fixture
def cache() -> Cache:
    return Cache()


def test_answer_is_given_again(cache: Cache) -> None:
    assert cache.read(OLD)
    assert cache.held() == b"index.html of " + OLD.encode()


def test_change_drops_all_answers_of_its_site_and_no_other(cache: Cache) -> None:
    for path in ("index.html", "a.html"):
        cache.read(OLD, path=path)
    cache.read(OLD, site=OTHER)
    cache.currency.changed(SITE, NEW)
    assert cache.held() is None
    assert cache.held(path="a.html") is None
    assert cache.held(OTHER) is not None


def test_call_that_began_before_a_change_is_not_kept(cache: Cache) -> None:
    ticket = cache.ask()
    cache.currency.changed(SITE, NEW)
    assert not cache.answered(ticket, OLD)
    assert cache.held() is None


def test_call_that_began_before_a_change_is_not_kept_though_it_shows_the_new_revision(cache: Cache) -> None:
    ticket = cache.ask()
    cache.currency.changed(SITE, NEW)
    assert not cache.answered(ticket, NEW)


def test_server_that_has_not_heard_of_a_change_is_not_believed_after_it(cache: Cache) -> None:
    cache.currency.changed(SITE, NEW)
    cache.clock.now += SETTLE / 2
    assert not cache.read(OLD)
    assert not cache.read(OLD)
    assert cache.held() is None
    # The first of them only shows that servers disagreed.
    cache.read(NEW)
    assert cache.read(NEW)


def test_change_back_to_an_earlier_revision_is_followed(cache: Cache) -> None:
    cache.currency.changed(SITE, NEW)
    assert cache.read(NEW)
    cache.currency.changed(SITE, OLD)
    assert cache.held() is None
    assert cache.read(OLD)
    assert not cache.read(NEW)


def test_deleted_site_is_not_kept(cache: Cache) -> None:
    cache.read(OLD)
    cache.currency.changed(SITE, "")
    assert cache.held() is None
    assert not cache.read(OLD)


def test_older_answer_that_comes_late_is_not_kept_once_the_newer_was_seen(cache: Cache) -> None:
    # The change itself has not been heard of: a large answer showed it, and was not kept.
    late, newer = cache.ask(), cache.ask()
    cache.currency.seen(newer.site, NEW)
    assert not cache.answered(late, OLD)
    assert cache.held() is None


def test_answer_that_shows_another_revision_drops_what_is_kept(cache: Cache) -> None:
    cache.read(OLD)
    cache.currency.seen(SITE, NEW)
    assert cache.held() is None


def test_who_is_told_of_a_publish_never_gets_what_was_kept_before(cache: Cache) -> None:
    cache.read(OLD)
    ticket = cache.ask()
    cache.currency.told(SITE)
    assert cache.held() is None
    assert not cache.answered(ticket, OLD)


def test_nothing_is_used_once_the_stream_is_lost(cache: Cache) -> None:
    cache.read(OLD)
    cache.currency.lost()
    assert cache.held() is None
    assert cache.currency.begin(SITE) is None
    assert len(cache.store) == 0


def test_nothing_is_used_once_the_stream_is_silent(cache: Cache) -> None:
    cache.read(OLD)
    cache.clock.now += SILENCE
    assert cache.held() is None
    assert cache.currency.begin(SITE) is None


def test_heartbeat_keeps_answers_in_use(cache: Cache) -> None:
    cache.read(OLD)
    for _ in range(5):
        cache.clock.now += SILENCE - 1
        cache.currency.heard()
    assert cache.held() is not None


def test_call_of_an_earlier_stream_is_not_kept(cache: Cache) -> None:
    ticket = cache.ask()
    cache.currency.lost()
    cache.currency.began()
    cache.clock.now += SETTLE
    assert not cache.answered(ticket, OLD)


def test_nothing_is_kept_until_the_stream_has_settled_but_what_a_change_told_of(cache: Cache) -> None:
    cache.currency.lost()
    cache.currency.began()
    assert not cache.read(OLD)
    cache.currency.changed(OTHER, NEW)
    assert cache.read(NEW, site=OTHER)
    cache.clock.now += SETTLE
    assert cache.read(OLD)


def test_nothing_is_kept_before_the_first_message() -> None:
    assert SiteCurrency(AnswerStore(1000)).begin(SITE) is None


def test_many_sites_are_forgotten_with_their_answers(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("techdocs_bridge.page_cache.currency._MOST_SITES", 10)
    ticket = cache.ask("default/component/0")
    for number in range(100):
        # The first call of the one that is too many is not kept: it might be of one that was forgotten.
        assert any(cache.read(OLD, site=f"default/component/{number}") for _ in range(2))
    kept = [number for number in range(100) if cache.held(f"default/component/{number}") is not None]
    assert 0 < len(kept) <= 10
    assert not cache.answered(ticket, OLD)


def test_names_that_are_asked_for_are_no_sites(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("techdocs_bridge.page_cache.currency._MOST_SITES", 10)
    assert cache.read(OLD)
    before = len(cache.currency)
    for number in range(100):
        cache.ask(f"default/component/none-{number}")
        cache.currency.told(f"default/component/none-{number}")
    assert len(cache.currency) == before == 1
    assert cache.held() is not None, "what is no site pushes none out"


def test_first_call_of_a_site_is_not_kept_when_somebody_is_told_of_it_meanwhile(cache: Cache) -> None:
    ticket = cache.ask()
    cache.currency.told(SITE)
    assert not cache.answered(ticket, OLD)
    assert cache.held() is None
    assert cache.read(OLD)


def test_first_call_of_a_site_is_kept_though_another_site_changes_meanwhile(cache: Cache) -> None:
    cache.read(OLD, site=OTHER)
    ticket = cache.ask()
    cache.currency.changed(OTHER, NEW)
    assert cache.answered(ticket, OLD)


def test_call_that_began_before_its_site_was_forgotten_is_not_kept_when_it_changed_between(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("techdocs_bridge.page_cache.currency._MOST_SITES", 2)
    ticket = cache.ask()
    cache.currency.changed(SITE, NEW)
    cache.clock.now += 3600
    cache.currency.heard()
    for number in range(4):
        cache.read(OLD, site=f"default/component/{number}")
    assert not cache.answered(ticket, OLD)
