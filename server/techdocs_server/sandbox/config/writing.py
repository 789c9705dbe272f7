"""The new configuration as YAML."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from techdocs_server.sandbox.config.special_values import PythonCall, PythonName, RelativePath

_PYTHON = "tag:yaml.org,2002:python/"


class _Dumper(yaml.SafeDumper):
    """Writes plain values, and the three special ones with their tags."""

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out: what is written holds no anchors."""
        return True


_Dumper.add_representer(PythonName, lambda dumper, value: dumper.represent_scalar(f"{_PYTHON}name:{value.name}", ""))
_Dumper.add_representer(
    PythonCall,
    lambda dumper, value: dumper.represent_mapping(
        f"{_PYTHON}object/apply:{value.name}", {"kwds": dict(value.arguments)}
    ),
)
_Dumper.add_representer(RelativePath, lambda dumper, value: dumper.represent_scalar("!relative", value.text))

_NOTE = "# Written by the documentation service from the author's file.\n"


def to_yaml(config: Mapping[str, object]) -> bytes:
    """Return a configuration as MkDocs reads it."""
    return (_NOTE + yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)).encode()
