"""An interrupt at any step: it is what the caller sees, and the work in the server has ended."""

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncGenerator
from functools import partial

import click
import pytest
from click.testing import CliRunner

import thanosql.client
from tests.fakes.interrupts import Interrupt, interrupt_main_thread
from tests.fakes.sdk_gateway import FakeGateway, done, progress, serving_gateway, started
from thanosql import NotFound, ThanoSQL, Unavailable
from thanosql.aio import AsyncThanoSQL
from thanosql.cli.context import guarded
from thanosql.cli.main import main
from thanosql.cli.prompt import prompt
from thanosql.events import Event
from thanosql.loop import BackgroundLoop


class _AllStepsDoneError(Exception):
    """The events at which steps are counted are over."""


def test_an_interrupt_at_any_step_between_events_cancels_the_work_in_the_server() -> None:
    for step in itertools.count(1):
        if not _interrupted_between_events(Interrupt(step)):
            break
    assert step > 20


def _interrupted_between_events(interrupt: Interrupt) -> bool:
    """Interrupt a statement that never ends; false where it has not that many steps."""
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
        try:
            with interrupt.armed(at_once=False):
                client.execute("BUILD for ever", on_event=follow)
        except (KeyboardInterrupt, _AllStepsDoneError):
            pass
        assert gateway.cancelled.wait(30)
        assert client.server_info().version
    return interrupt.struck


def test_an_interrupt_at_any_step_of_a_command_ends_it_with_status_130(
    address: str, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THANOSQL_ADDRESS", address)
    monkeypatch.setenv("THANOSQL_API_TOKEN", gateway.token)
    gateway.answer_to_all = [started("DROP"), progress("training", 1), progress("training", 2), done("gone")]
    statuses = list(itertools.takewhile(bool, map(_status_interrupted_at, itertools.count(1))))
    assert statuses == [130] * len(statuses)
    assert len(statuses) > 200


def _status_interrupted_at(step: int) -> int:
    try:
        with Interrupt(step).armed():
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


@pytest.mark.parametrize("failure", [Unavailable, NotFound])
def test_an_error_of_the_server_behind_an_interrupt_does_not_hide_it(failure: type[Unavailable]) -> None:
    def run() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise failure(reason="CANCELLED", message="the work was cancelled")

    assert _status_of(run) == (130, "interrupted; the work was cancelled\n")


def test_any_failure_behind_an_interrupt_does_not_hide_it() -> None:
    def run() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("asynchronous generator is already running") from None

    assert _status_of(run) == (130, "interrupted; the work was cancelled\n")


def _status_of(run: "click.decorators.FC") -> tuple[int, str]:
    result = CliRunner().invoke(click.command()(guarded(run)))
    return result.exit_code, result.stderr


def test_an_error_without_an_interrupt_is_drawn() -> None:
    def run() -> None:
        raise NotFound(reason="TABLE_NOT_FOUND", message="no table 't'")

    assert _status_of(run)[0] == 1


def test_the_prompt_says_that_the_work_was_cancelled_whatever_tidying_up_raised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_text: str) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise Unavailable(reason="PEER_UNAVAILABLE", message="gone")

    lines = iter(["LIST MODEL;", "exit"])
    prompt(run, lambda _prompt: next(lines))
    assert capsys.readouterr().err.splitlines()[-1] == "cancelled"


def test_an_interrupt_before_the_command_itself_ends_with_status_130(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(click.Group, "parse_args", interrupted)
    assert CliRunner().invoke(main, ["sql", "SELECT 1"]).exit_code == 130
