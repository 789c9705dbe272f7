"""Builds one site with MkDocs, then ends: MkDocs cannot be used twice in a process.

The job is a JSON object on standard input: ``tree`` and ``output`` (absolute
folders), ``site_name`` (used when the tree has no configuration), and optionally
``config`` (a configuration file of the tree), ``policy`` (see `ConfigPolicy`),
``edit`` (``repo_url`` and ``edit_base``), ``reuse`` (``source``, ``target`` and ``workers``, see `Reuse`) and ``parent`` (the process that waits for
the site). The answer is a stream of records, see `records`; the exit code is 0
exactly when the site is complete.

The output is that of ``mkdocs build -f mkdocs.yml -d OUTPUT`` run in the tree with
the rewritten configuration.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from techdocs_server.sandbox.config.findings import ConfigProblem, Findings
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.config.rewrite import EditPlaces
from techdocs_server.sandbox.configuration import ConfigurationRequest, ReadyConfiguration, make_ready
from techdocs_server.sandbox.failures import failed_with, failure_text, is_over_a_limit, is_unexpected
from techdocs_server.sandbox.isolation.stages import enter, seal
from techdocs_server.sandbox.records import CONFIG_INVALID, LIMIT_EXCEEDED, MKDOCS_FAILED, RecordWriter
from techdocs_server.sandbox.rendering.site_build import Reuse, build_site
from techdocs_server.sandbox.source_files import SourceFiles

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig


@dataclass(frozen=True, slots=True)
class Job:
    """What to build."""

    tree: Path
    output: Path
    configuration: ConfigurationRequest
    parent: int | None
    reuse: Reuse

    @classmethod
    def parse(cls, content: bytes) -> Job:
        """Read a job. Raises `ValueError`, `TypeError` or `KeyError`."""
        document = json.loads(content)
        edit = document.get("edit")
        request = ConfigurationRequest(
            document["site_name"],
            wanted=document.get("config"),
            edit=EditPlaces(edit["repo_url"], edit["edit_base"]) if edit else None,
            policy=ConfigPolicy.parse(document.get("policy") or {}),
        )
        return cls(
            Path(document["tree"]),
            Path(document["output"]),
            request,
            document.get("parent"),
            _reuse(document.get("reuse") or {}, request.policy),
        )


def _reuse(document: Mapping[str, object], policy: ConfigPolicy) -> Reuse:
    source, target = document.get("source"), document.get("target")
    return Reuse(
        source=Path(str(source)) if source else None,
        target=Path(str(target)) if target else None,
        rules=policy.version,
        workers=int(str(document.get("workers", 1))),
        runs_programs=policy.diagrams,
        prune_navigation_above=policy.prune_navigation_above,
    )


def main() -> None:
    """Build the job on standard input by the plan on the command line, exit."""
    build_isolated(sys.argv[1], sys.stdin.buffer.read)


def build_isolated(plan_text: str, read_job: Callable[[], bytes]) -> None:
    """Isolate this process as the plan says, then read the job and build it. Raises `SystemExit` when there is no site."""
    # From here on a parent that dies takes us with it; one that died before that is no longer our parent.
    plan = enter(plan_text)
    job = Job.parse(read_job())
    if job.parent is not None and os.getppid() != job.parent:
        sys.exit("the process that wanted this build is gone")
    os.chdir(job.tree)
    writer = RecordWriter(sys.stdout.fileno())
    configuration = _make_ready(job, writer)
    # From here on nothing is written to the tree, and other people's code runs.
    seal(plan)
    _run_mkdocs(job, configuration, writer)


def _make_ready(job: Job, writer: RecordWriter) -> ReadyConfiguration:
    """Write the new configuration, or exit with what is wrong with the author's."""
    findings = Findings()
    try:
        return make_ready(job.tree, job.configuration, findings)
    except ConfigProblem as problem:
        failed_with(problem, writer)
        sys.exit(1)
    finally:
        for warning in findings:
            where = f"{warning.file}:{warning.line}: " if warning.line else f"{warning.file}: " if warning.file else ""
            writer.log("warning", where + warning.message)
            writer.warning(warning.message, file=warning.file, line=warning.line)


def _run_mkdocs(job: Job, configuration: ReadyConfiguration, writer: RecordWriter) -> None:
    from techdocs_server.sandbox.logs import set_up_logging

    # Plugins and hooks look here for the verb.
    sys.argv = ["mkdocs", "build"]
    sources = SourceFiles(configuration.file, configuration.docs)
    log = set_up_logging(writer, sources)

    def fail(error: BaseException, reason: str, file: str = "") -> NoReturn:
        if is_unexpected(error):
            writer.log("info", traceback.format_exc())
        writer.failed(failure_text(error, log), reason=reason, file=file)
        sys.exit(1)

    try:
        config = configuration.load(output=job.output)
    except ConfigProblem as problem:
        failed_with(problem, writer)
        sys.exit(1)
    # SystemExit as well: MkDocs' Abort is one, and plugins end builds with sys.exit.
    except (Exception, SystemExit) as error:
        fail(error, CONFIG_INVALID, configuration.file)
    try:
        if configuration.is_rewritten:
            _add_document_rules(config, job, sources)
        _build(config, job, writer)
    except (Exception, SystemExit) as error:
        fail(error, LIMIT_EXCEEDED if is_over_a_limit(error) else MKDOCS_FAILED)
    writer.finished(site_name=str(config.site_name), site_description=str(config.site_description or ""))


def _add_document_rules(config: MkDocsConfig, job: Job, sources: SourceFiles) -> None:
    from techdocs_server.sandbox.documents import DocumentRules

    config.plugins["techdocs-rules"] = DocumentRules(job.configuration.policy, sources)


def _build(config: MkDocsConfig, job: Job, writer: RecordWriter) -> None:
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build_site(config, job.reuse, writer)
    finally:
        config.plugins.on_shutdown()
