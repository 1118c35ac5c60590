"""The queue before a model: bounds, batches, deadlines, cancelling, failures, draining."""

import asyncio

import numpy as np
import pytest

from services.predictor.core.batcher import Batcher, Executors
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.statistics import Counters
from tests.fakes.predictor_engine import FakeClock, FakeEngine, InlineExecutor, settle
from thanosql_runtime.errors import Reason, ThanosqlError

FOURS = BatchPolicy(max_batch_size=4, max_queue_delay_s=1.0, bucket_samples=100, pipeline_depth=1)


def window(length: int = 50) -> np.ndarray:
    return np.zeros(length, dtype=np.float32)


class Rig:
    """A batcher and everything around it."""

    def __init__(self, engine: FakeEngine, max_queue_size: int = 8) -> None:
        self.clock = FakeClock()
        self.device = InlineExecutor()
        self.counters = Counters()
        self.engine = engine
        executors = Executors(host=InlineExecutor(), device=self.device)
        self.batcher = Batcher(engine, executors, self.clock, self.counters, max_queue_size)


async def test_a_full_batch_goes_at_once() -> None:
    rig = Rig(FakeEngine(FOURS))
    answers = [rig.batcher.submit(window(length)) for length in (10, 20, 30, 40)]
    assert await asyncio.gather(*answers) == [[10], [20], [30], [40]]
    assert rig.engine.batches == [[10, 20, 30, 40]]
    await rig.batcher.drain()


async def test_a_lone_window_waits_for_the_delay_and_no_longer() -> None:
    rig = Rig(FakeEngine(FOURS))
    answer = rig.batcher.submit(window(10))
    await settle()
    rig.clock.advance(0.9)
    await settle()
    assert not answer.done()
    rig.clock.advance(0.2)
    assert await answer == [10]
    assert rig.counters.queue_s == pytest.approx(1.1)
    await rig.batcher.drain()


async def test_unlike_lengths_do_not_share_a_batch() -> None:
    rig = Rig(FakeEngine(FOURS))
    answers = [rig.batcher.submit(window(length)) for length in (10, 150, 20, 180)]
    await settle()
    rig.clock.advance(1.0)
    await asyncio.gather(*answers)
    assert rig.engine.batches == [[10, 20], [150, 180]]
    await rig.batcher.drain()


async def test_a_full_bucket_overtakes_an_older_one_that_waits() -> None:
    rig = Rig(FakeEngine(FOURS))
    lone = rig.batcher.submit(window(10))
    await asyncio.gather(*[rig.batcher.submit(window(150)) for _ in range(4)])
    assert not lone.done()
    rig.clock.advance(1.0)
    assert await lone == [10]
    await rig.batcher.drain()


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    rig = Rig(FakeEngine(FOURS), max_queue_size=2)
    answers = [rig.batcher.submit(window()) for _ in range(2)]
    with pytest.raises(ThanosqlError) as caught:
        rig.batcher.submit(window())
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_delay_s is not None
    assert caught.value.retry_delay_s > 0
    await rig.batcher.drain()
    assert await asyncio.gather(*answers) == [[50], [50]]


async def test_who_left_makes_room_and_is_never_computed() -> None:
    rig = Rig(FakeEngine(FOURS), max_queue_size=1)
    rig.batcher.submit(window(10)).cancel()
    answer = rig.batcher.submit(window(20))
    await rig.batcher.drain()
    assert await answer == [20]
    assert rig.engine.batches == [[20]]


async def test_a_deadline_that_passed_in_the_queue_is_answered_without_computing() -> None:
    rig = Rig(FakeEngine(FOURS))
    late = rig.batcher.submit(window(10), deadline_s=0.5)
    await settle()
    rig.clock.advance(0.5)
    with pytest.raises(ThanosqlError, match=r"deadline passed after 0\.5 s") as caught:
        await late
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert rig.engine.batches == []
    await rig.batcher.drain()


async def test_a_failed_batch_fails_its_windows_and_the_next_batch_is_answered() -> None:
    rig = Rig(FakeEngine(FOURS, fails=lambda lengths: 13 in lengths))
    doomed = [rig.batcher.submit(window(length)) for length in (10, 11, 12, 13)]
    saved = [rig.batcher.submit(window(length)) for length in (20, 21, 22, 23)]
    outcomes = await asyncio.gather(*doomed, return_exceptions=True)
    assert all(isinstance(outcome, ThanosqlError) for outcome in outcomes)
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, ThanosqlError)} == {Reason.INTERNAL}
    assert await asyncio.gather(*saved) == [[20], [21], [22], [23]]
    await rig.batcher.drain()


async def test_an_engine_that_answers_too_few_fails_its_batch() -> None:
    engine = FakeEngine(FOURS)
    engine.finish = lambda raw: []  # type: ignore[method-assign]
    rig = Rig(engine)
    answer = rig.batcher.submit(window())
    await rig.batcher.drain()
    with pytest.raises(ThanosqlError, match="failed on this batch"):
        await answer


async def test_draining_answers_who_waits_and_refuses_newcomers() -> None:
    rig = Rig(FakeEngine(FOURS))
    waiting = rig.batcher.submit(window(10))
    draining = asyncio.ensure_future(rig.batcher.drain())
    await settle()
    with pytest.raises(ThanosqlError) as caught:
        rig.batcher.submit(window())
    assert caught.value.reason is Reason.CANCELLED
    await draining
    assert await waiting == [10]
    assert not rig.batcher.is_alive


async def test_the_device_gets_one_batch_at_a_time_with_depth_one() -> None:
    rig = Rig(FakeEngine())
    rig.device.held = True
    answers = [rig.batcher.submit(window(length)) for length in (1, 2, 3)]
    await settle()
    assert rig.device.waiting == 1
    answers[1].cancel()  # still in the queue: dropped before anything is computed
    rig.device.release()
    assert await answers[0] == [1]
    assert await answers[2] == [3]
    assert rig.engine.batches == [[1], [3]]
    await rig.batcher.drain()


async def test_depth_two_prepares_one_batch_while_another_runs() -> None:
    policy = BatchPolicy(max_batch_size=1, max_queue_delay_s=0.0, bucket_samples=100, pipeline_depth=2)
    rig = Rig(FakeEngine(policy))
    rig.device.held = True
    answers = [rig.batcher.submit(window(length)) for length in (1, 2, 3)]
    await settle()
    assert rig.device.waiting == 2
    rig.device.release()
    assert await asyncio.gather(*answers) == [[1], [2], [3]]
    await rig.batcher.drain()


async def test_batches_and_seconds_are_counted() -> None:
    rig = Rig(FakeEngine())
    rig.device.held = True
    answer = rig.batcher.submit(window())
    await settle()
    rig.clock.advance(2.0)
    rig.device.release()
    await answer
    assert rig.counters.batches == 1
    assert rig.counters.compute_s == pytest.approx(2.0)
    await rig.batcher.drain()


@pytest.mark.parametrize("size", [0, -1])
def test_a_policy_without_a_size_is_a_bug(size: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        BatchPolicy(max_batch_size=size, max_queue_delay_s=0.0, bucket_samples=1, pipeline_depth=1)


async def test_a_batch_holds_no_more_audio_than_the_policy_says() -> None:
    policy = BatchPolicy(
        max_batch_size=8, max_batch_samples=300, max_queue_delay_s=1.0, bucket_samples=100, pipeline_depth=1
    )
    rig = Rig(FakeEngine(policy), max_queue_size=16)
    answers = [rig.batcher.submit(window(length)) for length in (90, 80, 70, 60, 150, 140, 999)]
    await settle()
    assert rig.engine.batches == [[90, 80, 70], [150], [140], [999]], "full by their padded length"
    rig.clock.advance(1.0)
    await asyncio.gather(*answers)
    assert rig.engine.batches[-1] == [60]


@pytest.mark.parametrize(("samples", "windows"), [(1, 3), (100, 3), (101, 1), (200, 1), (10_000, 1), (0, 3)])
def test_how_many_windows_fill_a_batch_follows_from_their_length(samples: int, windows: int) -> None:
    policy = BatchPolicy(
        max_batch_size=8, max_batch_samples=300, max_queue_delay_s=0.0, bucket_samples=100, pipeline_depth=1
    )
    assert policy.most_windows(samples) == windows
