"""Settings of the catalog, and of whether what it names is built here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import pydantic
from pydantic import Field

from techdocs_server.access_settings import AccessSettings


class CatalogSettings(AccessSettings):
    """Where entities are looked up, and who builds their documentation."""

    catalog_type: Literal["file", "backstage"] = Field(
        default="file",
        description="file reads the descriptor files of catalog; backstage asks the catalog of the Backstage at "
        "backstage_url, with the rights of whoever calls",
    )
    catalog: Path = Field(
        default=Path("catalog-info.yaml"),
        description="a catalog-info.yaml file, or a folder that is searched for them; not read where catalog_type is "
        "backstage",
    )
    catalog_file_root: Path | None = Field(
        default=None,
        description="folder of this machine below which entities that Backstage has read from files (file: locations) "
        "are built; none by default",
    )
    builder: Literal["local", "external"] = Field(
        default="local",
        description="local builds what the catalog names; external builds nothing, and serves what is published",
    )

    @pydantic.model_validator(mode="after")
    def _catalog_is_whole(self) -> Self:
        if self.catalog_type == "backstage":
            if self.backstage_url is None and "catalog" not in self.backstage_plugin_urls:
                raise ValueError("backstage_url: must be set where catalog_type is backstage")
        elif self.catalog_file_root is not None:
            raise ValueError("catalog_file_root: has an effect only where catalog_type is backstage")
        return self
