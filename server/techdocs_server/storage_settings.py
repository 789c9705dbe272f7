"""Settings of the stores: where contents and records are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pydantic
from pydantic import Field, NonNegativeFloat
from pydantic_settings import BaseSettings


class StorageSettings(BaseSettings):
    """Contents in the data directory or in a bucket, records in SQLite or PostgreSQL."""

    database_url: pydantic.SecretStr | None = Field(
        default=None,
        description="PostgreSQL for records, postgresql://USER:PASSWORD@HOST/DATABASE; SQLite in data_directory by default",
    )
    s3_bucket: str | None = Field(
        default=None, description="bucket for contents; a folder of data_directory by default"
    )
    s3_endpoint: str = Field(
        default="https://s3.amazonaws.com", description="the S3 server: http or https, a host, a port"
    )
    s3_prefix: str | None = Field(
        default=None, description="what the names of all objects begin with, such as techdocs/"
    )
    s3_region: str | None = Field(default=None, description="region of the bucket; asked for when it is not set")
    s3_encryption: str | None = Field(
        default=None, description="encryption by the server that uploads ask for: AES256 or aws:kms:KEY"
    )
    s3_access_key: pydantic.SecretStr | None = Field(
        default=None,
        description="access key; by default those of AWS's variables, files and instance roles are looked for",
    )
    s3_secret_key: pydantic.SecretStr | None = Field(default=None, description="secret of s3_access_key")
    s3_session_token: pydantic.SecretStr | None = Field(default=None, description="token of a temporary s3_access_key")
    s3_credentials_file: Path | None = Field(
        default=None, description="file of credentials in AWS's form, instead of ~/.aws/credentials"
    )
    s3_credentials_profile: str | None = Field(default=None, description="which profile of that file")
    s3_ca_certificates: Path | None = Field(
        default=None, description="PEM certificates to trust of the S3 server, instead of the system's"
    )

    backstage_bucket: str | None = Field(
        default=None,
        description="bucket that Backstage's own tools fill, on the server and with the credentials of s3_*; "
        "sites that are not here yet are read from it",
    )
    backstage_prefix: str | None = Field(
        default=None, description="the bucketRootPath of those tools, ending in a slash, such as docs/"
    )
    backstage_case: Literal["lower", "preserved"] = Field(
        default="lower",
        description="whether names of folders there are those of entities in lower case, or in their own "
        "(legacyUseCaseSensitiveTripletPaths)",
    )
    mirror_classic: bool = Field(
        default=False,
        description="whether what is published is also written to backstage_bucket, for a Backstage that reads it",
    )
    mirror_removal_grace_seconds: NonNegativeFloat = Field(
        default=3600.0,
        allow_inf_nan=False,
        description="how long files that a site no longer has stay there",
    )

    @pydantic.field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql://; without it records are in SQLite")
        return value

    @pydantic.field_validator("s3_prefix", "backstage_prefix")
    @classmethod
    def _ends_a_folder(cls, value: str | None) -> str | None:
        if value and (value.startswith("/") or not value.endswith("/")):
            raise ValueError("must be empty, or end in a slash and not begin with one")
        return value

    @pydantic.model_validator(mode="after")
    def _mirror_has_a_place(self) -> StorageSettings:
        if self.mirror_classic and self.backstage_bucket is None:
            raise ValueError("backstage_bucket: must be set too, since mirror_classic is")
        if self.mirror_classic and self.backstage_case != "lower":
            raise ValueError(
                "backstage_case: must be lower where mirror_classic is set: the letter case of a new site is not known"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _layouts_are_apart(self) -> StorageSettings:
        if self.backstage_bucket and self.backstage_bucket == self.s3_bucket:
            ours, theirs = self.s3_prefix or "", self.backstage_prefix or ""
            if ours.startswith(theirs) or theirs.startswith(ours):
                raise ValueError(
                    "backstage_prefix: one of it and s3_prefix is inside the other, in the same bucket; "
                    "contents and the sites of Backstage's tools need places apart"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _keys_are_whole(self) -> StorageSettings:
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            missing = "s3_secret_key" if self.s3_access_key else "s3_access_key"
            raise ValueError(f"{missing}: must be set too, since the other half of the pair is")
        return self
