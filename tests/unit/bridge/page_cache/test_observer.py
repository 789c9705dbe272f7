"""What calls leave behind: of sites that the server has answered about, and of names that are none."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2
from techdocs_bridge.client import CallContext
from techdocs_bridge.page_cache.access_decisions import AccessDecisions
from techdocs_bridge.page_cache.answer_store import AnswerStore
from techdocs_bridge.page_cache.currency import SiteCurrency
from techdocs_bridge.page_cache.observer import SiteCallObserver
from techdocs_bridge.page_cache.recording import Recording, RecordingBudget, current_recording

REVISION = "0" * 64
CONTEXT = CallContext(request_id="test", authorization="", deadline_seconds=1)


@pytest.fixture
def currency() -> SiteCurrency:
    currency = SiteCurrency(AnswerStore(1_000_000))
    currency.began()
    return currency


def request_of(name: str) -> docs_pb2.GetContentRequest:
    return docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(kind="component", name=name), path="index.html")


def call(currency: SiteCurrency, request: Message, answer: Message | int) -> None:
    """Let a call of a request that could be recorded be answered, or fail with a status."""
    token = current_recording.set(Recording((), b"", RecordingBudget()))
    try:
        observed = SiteCallObserver(currency, AccessDecisions()).began(request, CONTEXT)
        if isinstance(answer, int):
            observed.failed(answer)
        else:
            observed.answered(answer)
    finally:
        current_recording.reset(token)


def shown(revision: str = REVISION) -> docs_pb2.GetContentResponse:
    return docs_pb2.GetContentResponse(
        info=docs_pb2.ContentInfo(revision=revision), access=docs_pb2.AnswerScope(followed=True, anyone=True)
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
def test_site_that_was_asked_for_in_vain_is_none(currency: SiteCurrency, status: int) -> None:
    for number in range(100):
        call(currency, request_of(f"none-{number}"), status)
    assert len(currency) == 0


def test_site_that_was_answered_about_is_one(currency: SiteCurrency) -> None:
    call(currency, request_of("a"), shown())
    assert len(currency) == 1


def test_name_too_long_for_a_site_is_none_whatever_the_answer(currency: SiteCurrency) -> None:
    call(currency, request_of("a" * 63), shown())
    call(currency, request_of("\N{GRINNING FACE}" + "a" * 63), shown())
    assert len(currency) == 1


def test_sync_that_changed_nothing_of_a_site_that_is_not_known_makes_none(currency: SiteCurrency) -> None:
    entity = entity_pb2.EntityRef(kind="component", name="a")
    call(currency, builds_pb2.SyncSiteRequest(entity=entity), builds_pb2.SyncSiteResponse(updated=False))
    assert len(currency) == 0
