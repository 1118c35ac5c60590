"""Coroutines in another thread, and what an interrupt of the waiting one leaves behind."""

import asyncio
import itertools
import threading
from concurrent.futures import CancelledError
from functools import partial

import pytest

from tests.fakes.interrupts import Interrupt, interrupt_main_thread
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
    for step in itertools.count(1):
        background, running = BackgroundLoop(), set[int]()
        interrupt = Interrupt(step)
        try:
            with interrupt.armed():
                background.run(partial(_noted, running))
        except KeyboardInterrupt:
            pass
        assert not running
        assert background.run(value) == 7
        background.stop()
        if not interrupt.struck:
            break
    assert step > 10


async def _noted(running: set[int]) -> None:
    running.add(1)
    try:
        for _turn in range(100):
            await asyncio.sleep(0)
    finally:
        running.clear()


def test_what_runs_when_the_loop_stops_is_cancelled() -> None:
    background = BackgroundLoop()
    with pytest.raises(CancelledError):
        background.run(lambda: _stopping(background))
    with pytest.raises(CancelledError):
        background.run(value)


async def _stopping(background: BackgroundLoop) -> None:
    background.stop()
    await asyncio.Event().wait()
