from __future__ import annotations

import pytest
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, IsolationPlan, Layer, Limits


def test_plan_survives_the_command_line() -> None:
    plan = IsolationPlan(
        layers=frozenset({Layer.SECCOMP, Layer.RLIMITS}),
        tree="/w/tree with blanks",
        writable=("/w/output", "/w/private"),
        readable=("/usr/lib", "/ü"),
        programs=True,
        limits=Limits(memory_bytes=1, tasks=2),
    )
    assert IsolationPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": ["no such layer"]}'])
def test_plan_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        IsolationPlan.from_json(text)


def test_plan_with_an_unknown_limit_is_refused() -> None:
    plan = IsolationPlan(layers=ALL_LAYERS, tree="/t", writable=(), readable=())
    with pytest.raises(TypeError):
        IsolationPlan.from_json(plan.to_json().replace('"tasks"', '"tusks"'))
