"""The ``techdocs`` command: parse, start, say what happened."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import NoReturn

import click
import uvloop
from pydantic import SecretStr
from techdocs_bridge.cross_origin import origin_patterns

from techdocs_server.capabilities import service_version
from techdocs_server.cli_publish import publish
from techdocs_server.cli_sites import register
from techdocs_server.client.arguments import parse_entity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.importing import ImportRequest, import_sites
from techdocs_server.one_build import BuildRefused, build_once
from techdocs_server.recovering import recover
from techdocs_server.running import Say, run_bridge, run_everything, run_server, run_worker
from techdocs_server.settings import Settings, SettingsInvalid, load_settings
from techdocs_server.start_failed import StartFailed
from techdocs_server.telemetry.logging import configure_logging

# sysexits.h has a status of its own for a configuration error; any other failure to start is 1.
_EXIT_CONFIG = 78

Role = Callable[..., Coroutine[None, None, None]]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(service_version(), prog_name="techdocs")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings (or TECHDOCS_CONFIG).")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Build, publish and serve the documentation of Backstage catalog entities.

    Every setting is an environment variable TECHDOCS_<NAME> or a key of the TOML file.
    """
    context.obj = config


@main.command()
@click.pass_obj
def serve(config: Path | None) -> None:
    """Run server, builder and bridge in one process, on loopback by default."""
    _run(run_everything, config)


@main.command()
@click.pass_obj
def server(config: Path | None) -> None:
    """Run the gRPC server, with its builder unless workers share its stores."""
    _run(run_server, config)


@main.command()
@click.pass_obj
def worker(config: Path | None) -> None:
    """Run builds for the servers that share a database and a bucket."""
    _run(run_worker, config)


@main.command()
@click.pass_obj
def bridge(config: Path | None) -> None:
    """Run the REST bridge in front of a server."""
    _run(run_bridge, config)


@main.command()
@click.option("--source", required=True, type=click.Path(path_type=Path), help="Folder with mkdocs.yml and docs.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="New or empty folder for the site.")
@click.option("--name", default="Documentation", show_default=True, help="Name of a site without mkdocs.yml.")
@click.pass_obj
def build(config: Path | None, source: Path, output: Path, name: str) -> None:
    """Build one folder as the server would, and print the log."""
    settings = _settings(config)
    configure_logging(level="warning", log_format=settings.log_format)
    try:
        uvloop.run(build_once(settings, source=source, output=output, name=name, say=_say))
    except StartFailed as error:
        _fail(str(error), status=2)
    except BuildRefused as refused:
        _fail(*_refusal(refused), status=1)


def _entities(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> list[EntityRef]:
    return [parse_entity(value) for value in values]


@main.command("import")
@click.option("--entity", "entities", multiple=True, callback=_entities, help="NAMESPACE/KIND/NAME; all by default.")
@click.option("--dry-run", is_flag=True, help="Say what would be imported, and import nothing.")
@click.option("--replace", is_flag=True, help="Also import sites that have a revision here.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Files at a time.")
@click.pass_obj
def import_(config: Path | None, entities: list[EntityRef], dry_run: bool, replace: bool, concurrency: int) -> None:  # noqa: FBT001 - click passes them by name
    """Bring sites over from backstage_bucket, which is only read. The service must not run meanwhile."""
    settings = _settings(config)
    configure_logging(level="warning", log_format=settings.log_format)
    request = ImportRequest(entities, dry_run=dry_run, replace=replace, concurrency=concurrency)
    try:
        is_whole = uvloop.run(import_sites(settings, request, say=_say))
    except StartFailed as error:
        _fail(str(error), status=2)
    if not is_whole:
        sys.exit(1)


@main.command("recover")
@click.option("--dry-run", is_flag=True, help="Say what would be recovered, and change nothing.")
@click.option("--force", is_flag=True, help="Add the sites that are missing to a database that has others.")
@click.option("--no-verify", is_flag=True, help="Check manifests only, not whether every file is in the store.")
@click.pass_obj
def recover_sites(config: Path | None, *, dry_run: bool, force: bool, no_verify: bool) -> None:
    """Make a lost database again from the store of contents: sites, pointers and revisions."""
    settings = _settings(config)
    configure_logging(level="warning", log_format=settings.log_format)
    try:
        is_well = uvloop.run(recover(settings, dry_run=dry_run, force=force, checks_files=not no_verify, say=_say))
    except StartFailed as error:
        _fail(str(error), status=1)
    sys.exit(0 if is_well else 1)


@main.command("check-config")
@click.pass_obj
def check_config(config: Path | None) -> None:
    """Check the settings and print all of them as TOML, with what they mean."""
    settings = _settings(config)
    values = settings.model_dump(mode="json")
    for name, field in Settings.model_fields.items():
        click.echo(f"# {field.description}")
        if isinstance(getattr(settings, name), SecretStr):
            click.echo(f"# {name} is set, and not shown")
        else:
            click.echo(f"# {name} is not set" if values[name] is None else f"{name} = {_toml(values[name])}")


@main.command()
@click.option("--server-url", default="", help="Base URL for the document; the bridge's own by default.")
@click.pass_obj
def openapi(config: Path | None, server_url: str) -> None:
    """Print the OpenAPI 3.1 document of the REST API."""
    from techdocs_bridge.transcoding.openapi import document
    from techdocs_bridge.transcoding.routes import RouteTable, services

    settings = _settings(config)
    url = server_url or f"http://{settings.bridge_listen}{settings.bridge_mount}"
    table = RouteTable.from_services(services())
    click.echo(json.dumps(document(table, server_url=url, version=service_version()), indent=2, ensure_ascii=False))


main.add_command(publish)
register(main)


def _refusal(refused: BuildRefused) -> list[str]:
    problem = refused.problem
    place = f"{problem.file}:{problem.line}: " if problem.line else (f"{problem.file}: " if problem.file else "")
    lines = [f"{problem.cause or problem.reason} while {problem.phase}: {place}{problem.message}"]
    return [*lines, f"hint: {problem.hint}"] if problem.hint else lines


def _toml(value: object) -> str:
    """Return a plain value as TOML on one line; what is not set in a table is left out."""
    if isinstance(value, dict):
        pairs = [f"{_toml(key)} = {_toml(inner)}" for key, inner in value.items() if inner is not None]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # Texts, numbers and truth values are as in JSON but for one control character and halves of surrogate pairs.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _run(role: Role, config: Path | None) -> None:
    settings = _settings(config)
    configure_logging(level=settings.log_level, log_format=settings.log_format)
    say: Say = _say
    try:
        uvloop.run(role(settings, say=say))
    except StartFailed as error:
        _fail(str(error), status=1)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()  # whoever reads a pipe waits for this line to know that we are up


def _settings(config: Path | None) -> Settings:
    try:
        settings = load_settings(config, os.environ)
    except SettingsInvalid as error:
        _fail(*error.problems, status=_EXIT_CONFIG)
    try:
        origin_patterns(settings.bridge_cors_origins)
    except ValueError as error:
        _fail(f"bridge_cors_origins: {error}", status=_EXIT_CONFIG)
    return settings


def _fail(*problems: str, status: int) -> NoReturn:
    for problem in problems:
        click.echo(f"techdocs: {problem}", err=True)
    sys.exit(status)
