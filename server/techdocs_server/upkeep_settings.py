"""Settings of what is deleted by itself."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveInt

from techdocs_server.storage_settings import StorageSettings


class UpkeepSettings(StorageSettings):
    """How long revisions are kept, and when contents that nobody needs are deleted."""

    gc_interval_seconds: NonNegativeFloat = Field(
        default=86_400.0,
        allow_inf_nan=False,
        description="how often old revisions and contents that no revision needs are deleted unasked; 0 is never",
    )
    gc_grace_seconds: NonNegativeFloat = Field(
        default=3_600.0,
        le=365 * 86_400.0,
        allow_inf_nan=False,
        description="how long the contents of a deleted revision stay for those who are reading it",
    )
    retention_revisions: PositiveInt = Field(
        default=20, description="how many revisions of a site are kept whatever their age, the newest"
    )
    retention_days: NonNegativeFloat = Field(
        default=90.0,
        le=36_500.0,
        allow_inf_nan=False,
        description="how old a revision beyond that number is before it is deleted; 0 deletes at once",
    )
