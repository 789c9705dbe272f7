"""From changes of sites to messages."""

from __future__ import annotations

from techdocs.v1 import sites_pb2

from techdocs_server.domain.change import SiteAction, SiteChange
from techdocs_server.rpc.convert import entity_message, timestamp


def change_message(change: SiteChange) -> sites_pb2.SiteChange:
    """Return the message of a change."""
    return sites_pb2.SiteChange(
        sequence=change.sequence,
        change_time=timestamp(change.change_time),
        entity=entity_message(change.entity),
        action=action_message(change.cause.action),
        revision=change.revision,
        previous_revision=change.previous_revision,
        actor=change.cause.actor,
        request_id=change.cause.request_id,
        build=change.cause.build,
    )


def action_message(action: SiteAction) -> sites_pb2.SiteAction.ValueType:
    """Return the wire's value of an action; they have the same names."""
    return sites_pb2.SiteAction.Value(f"SITE_ACTION_{action.name}")
