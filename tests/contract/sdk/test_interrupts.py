"""An interrupt at any step: it is what the caller sees, and the work in the server has ended."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial

import click
import pytest
from click.testing import CliRunner

import thanosql.client
from tests.fakes.interrupts import Interrupt, interrupt_main_thread, interrupts_at_every_step
from tests.fakes.sdk_gateway import FakeGateway, done, progress, serving_gateway, started
from thanosql import StatementStarted, ThanoSQL, Unavailable
from thanosql.aio import AsyncThanoSQL
from thanosql.cli.main import main
from thanosql.events import Event
from thanosql.loop import BackgroundLoop


class _AllStepsDoneError(Exception):
    """The events at which steps are counted are over."""


def test_an_interrupt_at_any_step_between_events_cancels_the_work_in_the_server() -> None:
    steps = 0
    for interrupt in interrupts_at_every_step():
        _interrupt_between_events(interrupt)
        steps += interrupt.struck
    assert steps > 20


def _interrupt_between_events(interrupt: Interrupt) -> None:
    """Interrupt a statement that never ends."""
    begun = [started("BUILD MODEL"), *(progress("training", step) for step in range(3))]
    gateway, seen = FakeGateway(before_hanging=begun), list[Event]()

    def follow(event: Event) -> None:
        seen.append(event)
        if len(seen) == len(begun):
            sys.settrace(None)
            raise _AllStepsDoneError
        if len(seen) == 2:
            interrupt.arm()

    with serving_gateway(gateway) as address, ThanoSQL(address, gateway.token) as client:
        with suppress(KeyboardInterrupt, _AllStepsDoneError), interrupt.armed(at_once=False):
            client.execute("BUILD for ever", on_event=follow)
        assert gateway.cancelled.wait(30)
        assert client.server_info().version


def test_an_interrupt_at_any_step_of_a_command_ends_it_with_status_130(
    address: str, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THANOSQL_ADDRESS", address)
    monkeypatch.setenv("THANOSQL_API_TOKEN", gateway.token)
    gateway.answer_to_all = [started("DROP"), progress("training", 1), progress("training", 2), done("gone")]
    ends = [(_interrupted_status(interrupt), interrupt.struck) for interrupt in interrupts_at_every_step()]
    statuses = [status for status, struck in ends if struck]
    # Struck as click enters our two methods, click is still the one that answers.
    assert Counter(statuses) == {1: 2, 130: len(statuses) - 2}
    assert len(statuses) > 200


def _interrupted_status(interrupt: Interrupt) -> int:
    try:
        with interrupt.armed():
            return CliRunner().invoke(main, ["sql", "DROP TABLE t"]).exit_code
    except KeyboardInterrupt:  # outside of everything, where Python itself ends the process as shells expect
        return 130


def test_an_interrupt_comes_through_where_the_cancelled_call_refuses_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = asyncio.Event()

    async def stubborn(_client: AsyncThanoSQL, _text: str) -> AsyncGenerator[Event, None]:
        interrupt_main_thread()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise Unavailable(reason="PEER_UNAVAILABLE", message="too late to matter")
        yield

    monkeypatch.setattr(thanosql.client, "BackgroundLoop", partial(BackgroundLoop, cancel_wait_s=0.01))
    monkeypatch.setattr(AsyncThanoSQL, "stream", stubborn)
    with ThanoSQL("127.0.0.1:1", "t") as client:
        with pytest.raises(KeyboardInterrupt):
            client.execute("BUILD for ever")
        release.set()


def test_what_fails_while_a_stream_is_left_does_not_hide_the_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def failing_to_end(_client: AsyncThanoSQL, _text: str) -> AsyncGenerator[Event, None]:
        try:
            yield StatementStarted(index=0, kind="BUILD MODEL", canonical_text="BUILD")
        finally:
            raise Unavailable(reason="PEER_UNAVAILABLE", message="too late to matter")

    def interrupted(_event: Event) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AsyncThanoSQL, "stream", failing_to_end)
    with ThanoSQL("127.0.0.1:1", "t") as client, pytest.raises(KeyboardInterrupt):
        client.execute("BUILD", on_event=interrupted)


def test_an_interrupt_before_the_command_itself_ends_with_status_130(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(click.Group, "parse_args", interrupted)
    result = CliRunner().invoke(main, ["sql", "SELECT 1"])
    assert (result.exit_code, result.stderr) == (130, "interrupted; the work was cancelled\n")
