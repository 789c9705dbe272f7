"""What the operator decides about authors' configurations."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

# Counts up with every change of the rules that can change a site, so that sites are built once more.
RULES_VERSION = 1


@dataclass(frozen=True, slots=True)
class AllowedPlugin:
    """A plugin authors may use beyond the built-in list, and the only options they may give it."""

    name: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigPolicy:
    """The operator's choices. The default is the strictest.

    ``diagrams`` lets documents run the ``dot`` and ``plantuml`` commands of this
    machine. ``readme_as_index`` makes a README the front page where there is no
    index.md. ``rewrites`` False builds the author's own file as it is, which runs
    whatever it names: for sources that are as trusted as the server itself, and
    for tests. ``external_fonts`` False builds every site with fonts of its readers'
    own machines. Sites of more pages than ``prune_navigation_above`` get Material's
    pruned navigation, 0 for none.
    """

    plugins: tuple[AllowedPlugin, ...] = ()
    readme_as_index: bool = False
    diagrams: bool = False
    rewrites: bool = True
    external_fonts: bool = True
    prune_navigation_above: int = 0

    def to_json(self) -> dict[str, object]:
        """Return the policy as `parse` reads it."""
        return asdict(self)

    @classmethod
    def parse(cls, document: dict[str, object]) -> ConfigPolicy:
        """Read a policy. Raises `TypeError`, `KeyError` or `ValueError`."""
        plugins = document.pop("plugins", [])
        if not isinstance(plugins, list | tuple):
            raise TypeError("plugins must be a list")
        allowed = tuple(AllowedPlugin(str(item["name"]), tuple(item["options"])) for item in plugins)
        above = document.pop("prune_navigation_above", 0)
        if type(above) is not int:
            raise TypeError("prune_navigation_above must be a whole number")
        flags = {name: bool(value) for name, value in document.items()}
        return cls(plugins=allowed, prune_navigation_above=above, **flags)

    @property
    def version(self) -> str:
        """Name and version of the rules with this policy, one text for all that they decide."""
        content = json.dumps(self.to_json(), sort_keys=True).encode()
        return f"techdocs-rules {RULES_VERSION}+{hashlib.sha256(content).hexdigest()[:12]}"
