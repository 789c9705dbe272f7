"""Subcommands for operators: sites, revisions, builds, logs, changes, and collecting garbage."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from techdocs.v1 import admin_pb2, admin_pb2_grpc, builds_pb2, sites_pb2

from techdocs_server.client.arguments import entity_of, entity_text, parse_entity, revision_of
from techdocs_server.client.build_log import build_events
from techdocs_server.client.channel import ClientOptions, open_channel, report_errors, server_options
from techdocs_server.client.failures import ClientFailed, ExitStatus
from techdocs_server.client.progress import readable_bytes
from techdocs_server.client.retrying import Patience, repeated
from techdocs_server.client.site_calls import SiteCalls
from techdocs_server.client.tables import Columns, moment, short, show, show_json
from techdocs_server.domain.entity import EntityRef

_STATES = {name.removeprefix("BUILD_STATE_").lower(): value for name, value in builds_pb2.BuildState.items() if value}
_BAD_ENDS = (builds_pb2.BUILD_STATE_FAILED, builds_pb2.BUILD_STATE_CANCELLED)

_SITES: Columns[sites_pb2.Site] = {
    "SITE": lambda site: entity_text(site.entity),
    "REVISION": lambda site: short(site.current_revision),
    "REVISIONS": lambda site: str(site.revision_count),
    "UPDATED": lambda site: moment(site.update_time),
    "BUILD": lambda site: site.active_build,
    "TITLE": lambda site: site.title,
}
_REVISIONS: Columns[sites_pb2.Revision] = {
    "REVISION": lambda revision: short(revision.revision),
    "CREATED": lambda revision: moment(revision.create_time),
    "FILES": lambda revision: str(revision.file_count),
    "SIZE": lambda revision: readable_bytes(revision.size_bytes),
    "STATE": lambda revision: _state_of(revision),
    "BUILD": lambda revision: revision.build,
}
_BUILDS: Columns[builds_pb2.Build] = {
    "BUILD": lambda build: build.name,
    "SITE": lambda build: entity_text(build.entity),
    "STATE": lambda build: builds_pb2.BuildState.Name(build.state).removeprefix("BUILD_STATE_").lower(),
    "QUEUED": lambda build: moment(build.create_time),
    "ENDED": lambda build: moment(build.end_time),
    "REVISION": lambda build: short(build.revision),
    "FAILURE": lambda build: build.failure.reason,
}
_CHANGES: Columns[sites_pb2.SiteChange] = {
    "TIME": lambda change: moment(change.change_time),
    "SITE": lambda change: entity_text(change.entity),
    "ACTION": lambda change: sites_pb2.SiteAction.Name(change.action).removeprefix("SITE_ACTION_").lower(),
    "REVISION": lambda change: short(change.revision),
    "BEFORE": lambda change: short(change.previous_revision),
    "BY": lambda change: change.build or change.actor,
}

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
_entity_argument = click.argument("entity", metavar="ENTITY", callback=entity_of)
_revision_argument = click.argument("revision", metavar="REVISION", callback=revision_of)
_entity_option = click.option("--entity", metavar="NAMESPACE/KIND/NAME", callback=entity_of, help="Only of this one.")
_limit = click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Most to show.")


def register(group: click.Group) -> None:
    """Add the subcommands to a group."""
    for command in (sites, revisions, rollback, delete, pin, unpin, builds, logs, changes, gc):
        group.add_command(command)


@contextmanager
def _calling(options: ClientOptions) -> Iterator[SiteCalls]:
    with report_errors(), open_channel(options) as channel:
        yield SiteCalls(channel, Patience(options.timeout_seconds))


@click.command()
@server_options
@click.option("--namespace", default="", help="Only sites in this namespace.")
@click.option("--kind", default="", help="Only sites of this kind.")
@_json
def sites(*, options: ClientOptions, namespace: str, kind: str, as_json: bool) -> None:
    """List sites."""
    with _calling(options) as calls:
        show(calls.sites(namespace=namespace, kind=kind), _SITES, as_json=as_json)


@click.command()
@server_options
@_entity_argument
@_json
def revisions(*, options: ClientOptions, entity: EntityRef, as_json: bool) -> None:
    """List the revisions of a site, newest first."""
    with _calling(options) as calls:
        show(calls.revisions(entity), _REVISIONS, as_json=as_json)


@click.command()
@server_options
@_entity_argument
@_revision_argument
@_json
def rollback(*, options: ClientOptions, entity: EntityRef, revision: str, as_json: bool) -> None:
    """Make an earlier revision current again."""
    with _calling(options) as calls:
        site = calls.roll_back(entity, calls.whole_revision(entity, revision))
    if as_json:
        show_json(site)
    else:
        click.echo(f"{entity} serves revision {site.current_revision}")


@click.command()
@server_options
@_entity_argument
@click.option("--revision", callback=revision_of, help="Delete this revision only.")
@click.option("--force", is_flag=True, help="Cancel the build of the site first, if there is one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
def delete(
    *, options: ClientOptions, entity: EntityRef, revision: str | None, force: bool, yes: bool, as_json: bool
) -> None:
    """Delete a site with all its revisions, or one revision."""
    if revision is not None and force:
        raise click.UsageError("--force is for whole sites")
    if revision is None and not yes and sys.stdin.isatty():
        click.confirm(f"Delete {entity} with all revisions, pinned ones too?", abort=True)
    with _calling(options) as calls:
        if revision is None:
            calls.delete_site(entity, force=force)
            what = f"{entity} is deleted"
        else:
            whole = calls.whole_revision(entity, revision)
            calls.delete_revision(entity, whole)
            what = f"revision {whole} of {entity} is deleted"
    if as_json:
        show_json(sites_pb2.DeleteSiteResponse())
    else:
        click.echo(what)


@click.command()
@server_options
@_entity_argument
@_revision_argument
@_json
def pin(*, options: ClientOptions, entity: EntityRef, revision: str, as_json: bool) -> None:
    """Keep a revision whatever its age."""
    _pin(options, entity, revision, pinned=True, as_json=as_json)


@click.command()
@server_options
@_entity_argument
@_revision_argument
@_json
def unpin(*, options: ClientOptions, entity: EntityRef, revision: str, as_json: bool) -> None:
    """Let a pinned revision go when its time comes."""
    _pin(options, entity, revision, pinned=False, as_json=as_json)


def _pin(options: ClientOptions, entity: EntityRef, revision: str, *, pinned: bool, as_json: bool) -> None:
    with _calling(options) as calls:
        changed = calls.pin(entity, calls.whole_revision(entity, revision), pinned=pinned)
    if as_json:
        show_json(changed)
    else:
        click.echo(f"revision {changed.revision} of {entity} is {'pinned' if changed.pinned else 'not pinned'}")


@click.command()
@server_options
@_entity_option
@click.option("--state", "states", multiple=True, type=click.Choice(list(_STATES)), help="Only in this state.")
@_limit
@_json
def builds(
    *, options: ClientOptions, entity: EntityRef | None, states: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """List builds, newest first."""
    with _calling(options) as calls:
        show(calls.builds(entity, [_STATES[state] for state in states], limit=limit), _BUILDS, as_json=as_json)


@click.command()
@server_options
@click.argument("build", metavar="BUILD|ENTITY")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the build has ended.")
@_json
def logs(*, options: ClientOptions, build: str, follows: bool, as_json: bool) -> None:
    """Print the log of a build, or of the newest build of an entity.

    With -f it exits with 1 when the build fails or is cancelled.
    """
    entity = None if build.startswith("builds/") else parse_entity(build)
    with report_errors(), open_channel(options) as channel:
        patience = Patience(options.timeout_seconds)
        name = build if entity is None else _newest_build(SiteCalls(channel, patience), entity)
        state = builds_pb2.BUILD_STATE_UNSPECIFIED
        for event in build_events(channel, name, follows=follows, patience=patience):
            if event.HasField("state_change"):
                state = event.state_change.state
            if as_json:
                show_json(event)
            elif event.HasField("log"):
                click.echo(event.log.text)
            sys.stdout.flush()
        if follows and state in _BAD_ENDS:
            ended = builds_pb2.BuildState.Name(state).removeprefix("BUILD_STATE_").lower()
            raise ClientFailed(f"{name} ended as {ended}", ExitStatus.REFUSED)


def _newest_build(calls: SiteCalls, entity: EntityRef) -> str:
    for build in calls.builds(entity, (), limit=1):
        return build.name
    raise ClientFailed(f"{entity} has no builds", ExitStatus.REFUSED)


@click.command()
@server_options
@_entity_option
@_limit
@_json
def changes(*, options: ClientOptions, entity: EntityRef | None, limit: int, as_json: bool) -> None:
    """List what was done to sites, and by whom, newest first."""
    with _calling(options) as calls:
        show(calls.changes(entity, limit=limit), _CHANGES, as_json=as_json)


@click.command()
@server_options
@click.option("--dry-run", is_flag=True, help="Delete nothing, and tell what would be.")
@_json
def gc(*, options: ClientOptions, dry_run: bool, as_json: bool) -> None:
    """Delete old revisions, and contents that no revision needs."""
    with report_errors(), open_channel(options) as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        request = admin_pb2.CollectGarbageRequest(dry_run=dry_run)
        patience = Patience(options.timeout_seconds)
        done = repeated(lambda seconds: stub.CollectGarbage(request, timeout=seconds), patience).collection
    if as_json:
        show_json(done)
        return
    would = "would be " if dry_run else ""
    click.echo(f"{done.deleted_revisions} revisions {would}deleted, {done.forgotten_revisions} {would}forgotten")
    click.echo(f"{done.deleted_blobs} contents {would}deleted, {readable_bytes(done.deleted_bytes)}")
    click.echo(f"{done.kept_blobs} contents stay, {readable_bytes(done.kept_bytes)}")


def _state_of(revision: sites_pb2.Revision) -> str:
    return " ".join(word for word, holds in (("current", revision.current), ("pinned", revision.pinned)) if holds)
