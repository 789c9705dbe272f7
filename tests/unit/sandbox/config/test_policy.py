"""The operator's choices travel as JSON, and every one of them makes a version of its own."""

from __future__ import annotations

import json

import pytest
from techdocs_server.sandbox.config.policy import RULES_VERSION, AllowedPlugin, ConfigPolicy

POLICIES = [
    ConfigPolicy(),
    ConfigPolicy(plugins=(AllowedPlugin("a"),)),
    ConfigPolicy(plugins=(AllowedPlugin("a", ("x", "y")),)),
    ConfigPolicy(readme_as_index=True),
    ConfigPolicy(diagrams=True),
    ConfigPolicy(external_fonts=False),
    ConfigPolicy(rewrites=False),
]


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_is_read_as_it_was_written(policy: ConfigPolicy) -> None:
    assert ConfigPolicy.parse(json.loads(json.dumps(policy.to_json()))) == policy


def test_version_names_the_rules_and_differs_by_policy() -> None:
    versions = {policy.version for policy in POLICIES}
    assert len(versions) == len(POLICIES)
    assert {version.partition("+")[0] for version in versions} == {f"techdocs-rules {RULES_VERSION}"}
    assert ConfigPolicy().version == ConfigPolicy().version


@pytest.mark.parametrize("document", [{"plugins": "x"}, {"plugins": [{"name": "x"}]}, {"other": True}])
def test_anything_else_is_no_policy(document: dict[str, object]) -> None:
    with pytest.raises((TypeError, KeyError)):
        ConfigPolicy.parse(document)
