"""What a build process that ended has made: a site, or a failure of a certain kind."""

from __future__ import annotations

import signal

from techdocs_server.adapters.generators.build_output import BuildOutput
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.ports.generator import GeneratedSite
from techdocs_server.sandbox.records import (
    CONFIG_INVALID,
    CONFIG_REFUSED,
    LIMIT_EXCEEDED,
    MKDOCS_FAILED,
    Failed,
    Finished,
)

# Those a build process can know. A record may be forged: the others are for its parent to find.
_REASONS = {
    CONFIG_INVALID: BuildFailureReason.CONFIG_INVALID,
    CONFIG_REFUSED: BuildFailureReason.CONFIG_REFUSED,
    MKDOCS_FAILED: BuildFailureReason.MKDOCS_FAILED,
    LIMIT_EXCEEDED: BuildFailureReason.LIMIT_EXCEEDED,
}


def site_of(output: BuildOutput, exit_code: int) -> GeneratedSite:
    """Return the site that a process says it completed. Raises `BuildStepFailed`."""
    if exit_code < 0:
        raise BuildStepFailed(
            f"MkDocs was killed by signal {_signal_text(-exit_code)}; the log may say why",
            reason=BuildFailureReason.KILLED,
        )
    if isinstance(output.outcome, Failed):
        raise _failure(output, output.outcome)
    if exit_code != 0 or not isinstance(output.outcome, Finished):
        raise BuildStepFailed(f"MkDocs ended with exit code {exit_code} before the site was complete")
    return GeneratedSite(
        output.safe(output.outcome.site_name),
        output.safe(output.outcome.site_description),
        output.warnings,
        reused=frozenset(output.reused),
        pages=output.pages,
        full_build_reason=output.full_build_reason,
    )


def _failure(output: BuildOutput, failed: Failed) -> BuildStepFailed:
    file, line = output.safe_place(failed.file, failed.line)
    return BuildStepFailed(
        output.safe(failed.error),
        reason=_REASONS.get(failed.reason, BuildFailureReason.MKDOCS_FAILED),
        file=file,
        line=line,
        hint=output.safe(failed.hint),
    )


def _signal_text(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
