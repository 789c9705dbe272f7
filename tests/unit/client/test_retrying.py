from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from techdocs_server.client.channel import ClientOptions, open_channel
from techdocs_server.client.failures import failure_of
from techdocs_server.client.retrying import Patience, repeated

from tests.unit.client.serving import abort, serving, version_of

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, *, within: float = 100.0, chance: float = 1.0) -> Patience:
        return Patience(within, clock=lambda: self.now, sleep=self.sleep, chance=lambda: chance)


@dataclass
class Failing:
    """A real server whose first calls fail, and how often it was called."""

    times: int
    reason: str = "SERVER_DRAINING"
    code: grpc.StatusCode = UNAVAILABLE
    retry_seconds: float | None = None
    calls: int = 0

    def answer(self, context: grpc.ServicerContext) -> str:
        self.calls += 1
        if self.calls > self.times:
            return "up"
        return abort(context, self.code, self.reason, "not now", retry_seconds=self.retry_seconds)

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        with serving(self.answer) as port, open_channel(ClientOptions(f"127.0.0.1:{port}")) as channel:
            yield channel

    def ask(self, patience: Patience) -> str:
        with self.channel() as channel:
            return repeated(lambda _: version_of(channel), patience)


def test_a_call_that_fails_for_the_moment_is_repeated_after_growing_pauses() -> None:
    time, server = Time(), Failing(3)
    assert server.ask(time.patience()) == "up"
    assert (server.calls, time.pauses) == (4, [0.5, 1.0, 2.0])


def test_chance_cuts_a_pause_but_not_what_the_server_asked_for() -> None:
    time = Time()
    assert Failing(2, retry_seconds=3.0).ask(time.patience(chance=0.0)) == "up"
    assert time.pauses == [3.0, 3.0]


def test_a_call_that_fails_too_often_in_a_row_is_given_up() -> None:
    time, server = Time(), Failing(99)
    with pytest.raises(grpc.RpcError) as failed:
        server.ask(time.patience())
    assert failure_of(failed.value).reason == "SERVER_DRAINING"
    assert (server.calls, time.pauses) == (8, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0])


def test_progress_makes_a_new_beginning() -> None:
    time, server = Time(), Failing(4)
    patience = time.patience()
    with server.channel() as channel:
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as failed:
                version_of(channel)
            patience.wait(failed.value)
        patience.progressed()
        assert repeated(lambda _: version_of(channel), patience) == "up"
    assert time.pauses == [0.5, 1.0, 0.5, 1.0]


def test_nothing_is_repeated_beyond_the_time_of_the_command() -> None:
    time, server = Time(), Failing(99)
    with pytest.raises(grpc.RpcError):
        server.ask(time.patience(within=1.2))
    assert time.pauses == [0.5]


def test_each_call_gets_the_time_that_is_left() -> None:
    time, server = Time(), Failing(2)
    timeouts: list[float] = []

    def call(seconds: float) -> str:
        timeouts.append(seconds)
        return version_of(channel)

    with server.channel() as channel:
        repeated(call, time.patience(within=10.0))
    assert timeouts == [10.0, 9.5, 8.5]


def test_each_failure_after_which_it_goes_on_is_told() -> None:
    time, told = Time(), list[str]()
    patience = Patience(100.0, tell=told.append, clock=lambda: time.now, sleep=time.sleep)
    assert Failing(2).ask(patience) == "up"
    assert told == ["not now (SERVER_DRAINING)"] * 2


def test_a_refusal_is_not_repeated() -> None:
    time, server = Time(), Failing(1, reason="QUOTA_EXCEEDED", code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(grpc.RpcError):
        server.ask(time.patience())
    assert (server.calls, time.pauses) == (1, [])
