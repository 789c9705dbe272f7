"""The one error of a service that cannot start."""

from __future__ import annotations


class StartFailed(Exception):
    """The service cannot start. The message names the setting, says why and what to do."""
