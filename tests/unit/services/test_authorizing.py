"""The policy `catalog`: what the catalog hides is as if it were not there."""

from __future__ import annotations

import asyncio

import pytest
from techdocs_server.adapters.records.memory import MemoryBuildRecords
from techdocs_server.domain.access_errors import AccessDenied
from techdocs_server.domain.errors import BuildNotFound, CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import Principal, PrincipalKind
from techdocs_server.services.authorizing import KEPT_SECONDS, CatalogPolicy

from tests.support.record_values import entity, queued
from tests.support.viewing import ViewedCatalog

DOCS, HIDDEN, ABSENT = entity("docs"), entity("hidden"), entity("absent")
ALICE = Principal(PrincipalKind.USER, "user:default/alice")
BOB = Principal(PrincipalKind.USER, "user:default/bob")
CAROL_BY_SEARCH = Principal(PrincipalKind.USER, "user:default/carol", actor="plugin:search")


class Guarded:
    """A policy over a catalog in which Alice sees one entity, and its clock."""

    def __init__(self, *, most_kept: int = 100) -> None:
        self.catalog = ViewedCatalog()
        self.catalog.put(DOCS, ALICE.subject)
        self.catalog.put(HIDDEN, BOB.subject)
        self.builds = MemoryBuildRecords()
        self.passed = 0.0
        self.policy = CatalogPolicy(self.catalog, self.builds, seconds=lambda: self.passed, most_kept=most_kept)


async def test_what_is_shown_passes_and_what_is_hidden_is_as_if_absent() -> None:
    guarded = Guarded()
    await guarded.policy.check_entity(DOCS, ALICE)
    with pytest.raises(EntityNotFound) as hidden:
        await guarded.policy.check_entity(HIDDEN, ALICE)
    with pytest.raises(EntityNotFound) as absent:
        await guarded.policy.check_entity(ABSENT, ALICE)
    assert hidden.value.message.replace("hidden", "absent") == absent.value.message
    assert {k: v.replace("hidden", "absent") for k, v in hidden.value.metadata.items()} == absent.value.metadata


async def test_refusal_is_kept_for_five_seconds_per_entity_and_caller() -> None:
    guarded = Guarded()
    for _ in range(3):
        for caller in (BOB, CAROL_BY_SEARCH):
            with pytest.raises(EntityNotFound):
                await guarded.policy.check_entity(DOCS, caller)
    assert guarded.catalog.asked == [(DOCS, BOB.subject, ""), (DOCS, CAROL_BY_SEARCH.subject, "plugin:search")]
    guarded.passed += KEPT_SECONDS
    guarded.catalog.put(DOCS, BOB.subject)
    await guarded.policy.check_entity(DOCS, BOB)


async def test_right_that_is_taken_away_is_gone_as_soon_as_the_catalog_says_so() -> None:
    guarded = Guarded()
    await guarded.policy.check_entity(DOCS, ALICE)
    guarded.catalog.put(DOCS, BOB.subject)
    # No time passes: whoever looks far away keeps answers itself, and only once.
    with pytest.raises(EntityNotFound):
        await guarded.policy.check_entity(DOCS, ALICE)


async def test_all_who_wait_share_a_question_and_whoever_leaves_takes_it_from_nobody() -> None:
    guarded = Guarded()
    guarded.catalog.open.clear()
    waiting = [asyncio.create_task(guarded.policy.check_entity(DOCS, ALICE)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    guarded.catalog.open.set()
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
    assert len(guarded.catalog.asked) == 1


async def test_catalog_that_fails_lets_nobody_in_and_is_asked_again() -> None:
    guarded = Guarded()
    guarded.catalog.break_with("it is down")
    with pytest.raises(CatalogUnavailable):
        await guarded.policy.check_entity(DOCS, ALICE)
    guarded.catalog.break_with(None)
    await guarded.policy.check_entity(DOCS, ALICE)


async def test_answers_that_are_kept_are_bounded() -> None:
    guarded = Guarded(most_kept=10)
    for number in range(30):
        with pytest.raises(EntityNotFound):
            await guarded.policy.check_entity(entity(f"made-up-{number}"), ALICE)
    assert len(guarded.policy._hidden) == 10
    assert not guarded.policy._asking


async def test_build_is_as_visible_as_its_entity() -> None:
    guarded = Guarded()
    shown = await guarded.builds.create_build(queued(DOCS))
    hidden = await guarded.builds.create_build(queued(HIDDEN))
    await guarded.policy.check_build(shown.id, ALICE)
    with pytest.raises(BuildNotFound) as caught:
        await guarded.policy.check_build(hidden.id, ALICE)
    with pytest.raises(BuildNotFound) as absent:
        await guarded.policy.check_build("absent", ALICE)
    assert caught.value.message.replace(hidden.id, "absent") == absent.value.message


async def test_every_site_at_once_is_for_those_it_is_granted_to() -> None:
    with pytest.raises(AccessDenied, match="name an entity"):
        Guarded().policy.check_everything(ALICE)
