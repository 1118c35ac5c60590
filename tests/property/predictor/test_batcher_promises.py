"""Random arrivals, departures, failures and time: what the batcher promises holds."""

import asyncio
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.predictor.core.batcher import Batcher, Executors
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.statistics import Counters
from tests.fakes.predictor_engine import FakeClock, FakeEngine, InlineExecutor, settle
from thanosql_runtime.errors import Reason, ThanosqlError

POISON = 7


@dataclass(frozen=True, kw_only=True)
class Arrive:
    length: int
    patience_s: float | None


@dataclass(frozen=True, kw_only=True)
class Leave:
    who: int


@dataclass(frozen=True, kw_only=True)
class Wait:
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Stall:
    """The device stops, or goes on."""


EVENTS = st.lists(
    st.one_of(
        st.builds(Arrive, length=st.integers(1, 400), patience_s=st.none() | st.floats(0.0, 3.0)),
        st.builds(Leave, who=st.integers(0, 40)),
        st.builds(Wait, seconds=st.floats(0.0, 2.0)),
        st.builds(Stall),
    ),
    max_size=40,
)
POLICIES = st.builds(
    BatchPolicy,
    max_batch_size=st.integers(1, 5),
    max_queue_delay_s=st.sampled_from([0.0, 0.5, 1.5]),
    bucket_samples=st.sampled_from([1, 100, 1000]),
    pipeline_depth=st.integers(1, 3),
)
Answer = asyncio.Future[list[int]]


async def play(policy: BatchPolicy, queue_size: int, events: list[object]) -> None:
    clock, device = FakeClock(), InlineExecutor()
    engine = FakeEngine(policy, fails=lambda lengths: any(length % POISON == 0 for length in lengths))
    batcher = Batcher(engine, Executors(host=InlineExecutor(), device=device), clock, Counters(), queue_size)
    answers: list[tuple[int, Answer]] = []
    for event in events:
        match event:
            case Arrive(length=length, patience_s=patience_s):
                deadline_s = None if patience_s is None else clock.now() + patience_s
                try:
                    answer = batcher.submit(np.zeros(length, dtype=np.float32), deadline_s)
                    answers.append((length, answer))
                except ThanosqlError as failure:
                    waiting = sum(not answer.done() for _, answer in answers)
                    check_refusal(failure, waiting, queue_size)
            case Leave(who=who) if who < len(answers):
                answers[who][1].cancel()
            case Wait(seconds=seconds):
                clock.advance(seconds)
            case Stall():
                device.release() if device.held else setattr(device, "held", True)
        await settle()
    device.release()
    draining = asyncio.ensure_future(batcher.drain())
    while not draining.done():
        device.release()
        await settle()
    await draining
    check(engine, answers)


def check_refusal(failure: ThanosqlError, waiting: int, queue_size: int) -> None:
    assert failure.reason is Reason.OVERLOADED
    assert waiting >= queue_size, "only a full queue refuses"


def check(engine: FakeEngine, answers: list[tuple[int, Answer]]) -> None:
    computed = [length for batch in engine.batches for length in batch]
    for length, answer in answers:
        assert answer.done(), "every answer resolves"
        if answer.cancelled():
            continue
        failure = answer.exception()
        if failure is None:
            assert answer.result() == [length], "to its own labels"
        else:
            assert isinstance(failure, ThanosqlError)
            assert failure.reason in {Reason.INTERNAL, Reason.DEADLINE_EXCEEDED}
    for batch in engine.batches:
        assert len(batch) <= engine.policy.max_batch_size, "no batch over the limit"
        assert len({-(-length // engine.policy.bucket_samples) for length in batch}) == 1, "likes with likes"
    assert len(computed) <= len(answers), "nothing is computed twice"
    failed = [
        length
        for length, answer in answers
        if not answer.cancelled()
        and isinstance(failure := answer.exception(), ThanosqlError)
        and failure.reason is Reason.INTERNAL
    ]
    guilty = [batch for batch in engine.batches if any(length % POISON == 0 for length in batch)]
    assert all(any(length in batch for batch in guilty) for length in failed), "only a failed batch fails"


@settings(max_examples=150, deadline=None)
@given(policy=POLICIES, queue_size=st.integers(1, 6), events=EVENTS)
def test_every_answer_resolves_once_whatever_happens(
    policy: BatchPolicy, queue_size: int, events: list[object]
) -> None:
    asyncio.run(play(policy, queue_size, events))
