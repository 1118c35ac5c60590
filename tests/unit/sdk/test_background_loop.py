"""Coroutines in another thread, and what an interrupt of the waiting one leaves behind."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.fakes.interrupts import Interrupt, interrupt_main_thread, interrupts_at_every_step
from thanosql.loop import BackgroundLoop


async def value() -> int:
    await asyncio.sleep(0)
    return 7


async def failing() -> int:
    raise ValueError("of the coroutine")


async def interrupting(ended: threading.Event) -> None:
    try:
        interrupt_main_thread()
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.set()


async def stubborn(release: asyncio.Event) -> None:
    interrupt_main_thread()
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue


def test_the_outcome_comes_back() -> None:
    background = BackgroundLoop()
    assert background.run(value) == 7
    with pytest.raises(ValueError, match="of the coroutine"):
        background.run(failing)
    background.stop()


def test_an_interrupt_waits_until_the_coroutine_has_cleaned_up() -> None:
    background, ended = BackgroundLoop(), threading.Event()
    with pytest.raises(KeyboardInterrupt):
        background.run(lambda: interrupting(ended))
    assert ended.is_set()
    background.stop()


def test_an_interrupt_comes_through_where_a_coroutine_refuses_to_end() -> None:
    background, release = BackgroundLoop(cancel_wait_s=0.01), asyncio.Event()
    with pytest.raises(KeyboardInterrupt):
        background.run(lambda: stubborn(release))
    assert background.run(value) == 7
    background.run(lambda: _set(release))
    background.stop()


async def _set(release: asyncio.Event) -> None:
    release.set()


def test_no_step_of_a_call_can_be_interrupted_without_ending_the_coroutine() -> None:
    steps = 0
    for interrupt in interrupts_at_every_step():
        background, running = BackgroundLoop(), set[int]()
        with suppress(KeyboardInterrupt), interrupt.armed():
            background.run(partial(_noted, running))
        assert not running
        assert background.run(value) == 7
        background.stop()
        steps += interrupt.struck
    assert steps > 10


async def _noted(running: set[int]) -> None:
    running.add(1)
    try:
        for _turn in range(100):
            await asyncio.sleep(0)
    finally:
        running.clear()


def test_a_second_interrupt_at_any_step_leaves_no_coroutine_running() -> None:
    steps = 0
    for interrupt in interrupts_at_every_step():
        background, ended = BackgroundLoop(), threading.Event()
        with pytest.raises(KeyboardInterrupt), _arming(interrupt):
            background.run(partial(interrupting, ended))
        assert ended.wait(30)
        background.stop()
        steps += interrupt.struck
    assert steps > 10


@contextmanager
def _arming(second: Interrupt) -> Iterator[None]:
    """Count steps from the first interrupt on."""

    def first(*_arguments: object) -> None:
        signal.signal(signal.SIGINT, before)
        second.arm()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, first)
    with second.armed(at_once=False):
        yield


def test_a_stop_that_was_interrupted_can_be_repeated() -> None:
    for interrupt in interrupts_at_every_step(str(Path(asyncio.__file__).parent)):
        others, background = set(threading.enumerate()), BackgroundLoop()
        background.run(value)
        (thread,) = set(threading.enumerate()) - others
        with suppress(KeyboardInterrupt), interrupt.armed():
            background.stop()
        background.stop()
        with pytest.raises(CancelledError):
            background.run(value)
        thread.join(30)
        assert not thread.is_alive()


def test_what_runs_when_the_loop_stops_is_cancelled() -> None:
    background = BackgroundLoop()
    with pytest.raises(CancelledError):
        background.run(lambda: _stopping(background))
    with pytest.raises(CancelledError):
        background.run(value)


async def _stopping(background: BackgroundLoop) -> None:
    background.stop()
    await asyncio.Event().wait()
