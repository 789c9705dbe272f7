"""``techdocs publish``: a folder that was built elsewhere becomes the site of an entity."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import click
from techdocs.v1 import publish_pb2

from techdocs_server.client.arguments import entity_message, entity_of
from techdocs_server.client.channel import ClientOptions, open_channel, report_errors, server_options
from techdocs_server.client.progress import counted, readable_bytes, shown_progress
from techdocs_server.client.publishing import publish_folder
from techdocs_server.client.retrying import Patience
from techdocs_server.client.site_folder import SiteFolder, read_site
from techdocs_server.domain.entity import EntityRef


def _uuid(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    try:
        return str(uuid.UUID(value) if value else uuid.uuid4())
    except ValueError as error:
        raise click.BadParameter("must be a UUID") from error


@click.command()
@server_options
@click.option("--entity", required=True, metavar="NAMESPACE/KIND/NAME", callback=entity_of, help="Whose site it is.")
@click.option(
    "--directory", required=True, type=click.Path(path_type=Path), help="Folder that mkdocs build has written."
)
@click.option("--expected-revision", default="", help="Publish only over this revision.")
@click.option("--validate-only", is_flag=True, help="Check everything, publish nothing.")
@click.option("--site-name", default="", help="Title, instead of that in techdocs_metadata.json.")
@click.option("--source-etag", default="", help="Tag of the source, such as a commit.")
@click.option("--request-id", callback=_uuid, help="UUID; a repeat with the same one is answered as before.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
def publish(
    *,
    options: ClientOptions,
    entity: EntityRef,
    directory: Path,
    expected_revision: str,
    validate_only: bool,
    site_name: str,
    source_etag: str,
    request_id: str,
    as_json: bool,
) -> None:
    """Publish a built site, sending only what the server lacks.

    Exits with 0 when the site is published or unchanged, 1 when it is refused, 2 for a
    wrong command line or folder, 3 when another publish came first, 4 when the
    server is unavailable, and 78 when the token or certificates cannot be used.
    """
    header = publish_pb2.PublishHeader(
        entity=entity_message(entity),
        site_name=site_name,
        source_etag=source_etag,
        expected_revision=expected_revision,
        validate_only=validate_only,
        request_id=request_id,
    )
    with report_errors(), open_channel(options) as channel:
        patience = Patience(options.timeout_seconds, tell=_tell_of_repetition)
        site = read_site(directory)
        if not as_json:
            _describe(site)
        with shown_progress(is_terminal=sys.stdout.isatty(), quiet=as_json) as progress:
            answer = publish_folder(channel, site, header, patience=patience, progress=progress)
    click.echo(_as_json(entity, header, answer) if as_json else _as_line(entity, header, answer))


def _tell_of_repetition(line: str) -> None:
    click.echo(f"techdocs: {line}; trying again", err=True)


def _describe(site: SiteFolder) -> None:
    click.echo(f"found {counted(len(site.files), 'file')}, {readable_bytes(site.size_bytes)}")
    if site.skipped:
        click.echo(f"left out {counted(site.skipped, 'link or special file')}", err=True)


def _as_line(entity: EntityRef, header: publish_pb2.PublishHeader, answer: publish_pb2.PublishSiteResponse) -> str:
    revision = answer.revision.revision
    if header.validate_only:
        return f"{entity} is valid; a publish would {'make a new revision' if answer.updated else 'change nothing'}"
    if not answer.updated:
        return f"{entity} is unchanged, revision {revision}"
    sent, reused = readable_bytes(answer.uploaded_bytes), readable_bytes(answer.reused_bytes)
    return f"{entity} is published, revision {revision} ({sent} sent, {reused} reused)"


def _as_json(entity: EntityRef, header: publish_pb2.PublishHeader, answer: publish_pb2.PublishSiteResponse) -> str:
    return json.dumps(
        {
            "entity": str(entity),
            "revision": answer.revision.revision,
            "updated": answer.updated,
            "validateOnly": header.validate_only,
            "fileCount": answer.revision.file_count,
            "uploadedBytes": answer.uploaded_bytes,
            "reusedBytes": answer.reused_bytes,
            "requestId": header.request_id,
        }
    )
