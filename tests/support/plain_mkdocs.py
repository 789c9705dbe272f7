"""Builds sites with MkDocs' own build, for comparison with ours: a server that forks one process per build.

Run as a script. Each line of standard input is a job as JSON: ``tree``, ``output``
and ``scratch`` (folders), ``site_name``, ``policy`` and ``records`` (a file for the
records of the build). Each answer is a line with its exit code. What reuses pages
is not even imported: `main` makes sure of it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from techdocs_server.sandbox.config.findings import ConfigProblem, Findings
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.configuration import ConfigurationRequest, ReadyConfiguration, make_ready
from techdocs_server.sandbox.failures import failed_with, failure_text
from techdocs_server.sandbox.records import CONFIG_INVALID, MKDOCS_FAILED, RecordWriter
from techdocs_server.sandbox.source_files import SourceFiles

# Imports only: whatever a build leaves in its process ends with that process.
_MODULES = (
    "admonitions.admonition",
    "material.extensions.emoji",
    "material.plugins.search.plugin",
    "mkdocs.commands.build",
    "mkdocs.config",
    "mkdocs.contrib.search",
    "mkdocs_monorepo_plugin.plugin",
    "mkdocs_redirects.plugin",
    "pygments.formatters.html",
    "pymdownx.arithmatex",
    "pymdownx.snippets",
    "techdocs_core.core",
    "techdocs_server.sandbox.documents",
    "techdocs_server.sandbox.logs",
)
_ENGINE = "techdocs_server.sandbox.rendering"
# The rules for documents, which hold in both builds, measure front matter with it; it renders and writes nothing.
_SHARED = frozenset({_ENGINE, f"{_ENGINE}.values"})


def main() -> None:
    """Serve builds until standard input ends."""
    os.environ.pop("SOURCE_DATE_EPOCH", None)
    for name in _MODULES:
        importlib.import_module(name)
    if {name for name in sys.modules if name.startswith(_ENGINE)} - _SHARED:
        sys.exit("what is compared with is not plain")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _be_a_build(json.loads(line))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def _be_a_build(job: dict[str, Any]) -> None:
    code = 1
    try:
        with Path(job["records"]).open("wb") as records:
            # Prints, of whoever, are lines of log as they are in a build of ours.
            for descriptor in (1, 2):
                os.dup2(records.fileno(), descriptor)
        os.environ["TMPDIR"] = job["scratch"]
        tempfile.tempdir = None
        os.chdir(job["tree"])
        _build(job, RecordWriter(1))
        code = 0
    except SystemExit:
        code = 1
    except BaseException:  # this process must not go on as the server
        traceback.print_exc()
    finally:
        os._exit(code)


def _build(job: dict[str, Any], writer: RecordWriter) -> None:
    from techdocs_server.sandbox.logs import set_up_logging

    policy = ConfigPolicy.parse(job["policy"])
    ready = _make_ready(job, policy, writer)
    sys.argv = ["mkdocs", "build"]
    sources = SourceFiles(ready.file, ready.docs)
    log = set_up_logging(writer, sources)
    reason = CONFIG_INVALID
    try:
        config = ready.load(output=Path(job["output"]))
        reason = MKDOCS_FAILED
        _run(config, policy, sources)
    except (Exception, SystemExit) as error:
        writer.failed(failure_text(error, log), reason=reason, file=ready.file if reason == CONFIG_INVALID else "")
        sys.exit(1)
    writer.finished(site_name=str(config.site_name), site_description=str(config.site_description or ""))


def _make_ready(job: dict[str, Any], policy: ConfigPolicy, writer: RecordWriter) -> ReadyConfiguration:
    findings = Findings()
    try:
        return make_ready(Path(job["tree"]), ConfigurationRequest(job["site_name"], policy=policy), findings)
    except ConfigProblem as problem:
        failed_with(problem, writer)
        sys.exit(1)
    finally:
        for warning in findings:
            writer.warning(warning.message, file=warning.file, line=warning.line)


def _run(config: Any, policy: ConfigPolicy, sources: SourceFiles) -> None:
    from mkdocs.commands import build
    from techdocs_server.sandbox.documents import DocumentRules

    config.plugins["techdocs-rules"] = DocumentRules(policy, sources)
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build.build(config)
    finally:
        config.plugins.on_shutdown()


if __name__ == "__main__":
    main()
