"""Rows through decoding and the model: bounds, failures, cancelling, memory."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, BinaryIO

import numpy as np
import pytest

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.budget import SampleBudget
from services.predictor.core.clock import SystemClock
from services.predictor.core.flow import answer_each
from services.predictor.core.loaded_model import Engines, LoadedModel
from services.predictor.core.long_recordings import Cutting
from services.predictor.core.statistics import Counters, Statistics
from services.predictor.core.torch_embedder import TorchEmbedder
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.torch_scorer import TorchScorer
from services.predictor.core.transcription import Limits, Transcriber
from services.predictor.core.types import ModelRecord, Row, RowAnswer, Transcript
from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary
from tests.fakes.predictor_engine import settle
from tests.fakes.predictor_storage import babble, wav
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_runtime.errors import Reason, ThanosqlError, error


class FakeRecordings:
    """Every path is a recording of as many tenths of a second, unless it is listed here."""

    def __init__(self, special: dict[str, Callable[[], BinaryIO]] | None = None) -> None:
        self._special = special or {}

    def open(self, path: str) -> BinaryIO:
        if path in self._special:
            return self._special[path]()
        return io.BytesIO(wav(babble(int(path) / 10)))


def fail(reason: Reason) -> BinaryIO:
    raise error(reason, "from the store")


def bug() -> BinaryIO:
    raise ZeroDivisionError


def tiny(options: EngineOptions | None = None, cutting: Cutting | None = None, **hearing: Any) -> LoadedModel:
    checkpoint = Checkpoint(
        model=tiny_model(), vocabulary=tiny_vocabulary(), sample_rate_hz=16_000, do_normalize=True
    )
    heard = Hearing(**hearing)
    engine = TorchEngine(checkpoint.model, options or EngineOptions())
    return LoadedModel(
        record=ModelRecord(name="tiny", version=1, artefacts=()),
        engines=Engines(labels=engine, scores=TorchScorer(engine), frames=TorchEmbedder(engine)),
        acoustics=Acoustics.of(checkpoint, heard),
        hearing=heard,
        clock=SystemClock(),
        counters=Counters(),
        cutting=cutting,
    )


async def rows(paths: list[str]) -> AsyncIterator[Row]:
    for key, path in enumerate(paths):
        yield Row(row_key=key, audio_path=path)


async def answers_of(recordings: FakeRecordings, paths: list[str], model: LoadedModel) -> list[RowAnswer]:
    transcriber = Transcriber(recordings=recordings, limits=Limits(), clock=SystemClock())
    found = [answer async for answer in transcriber.answer_rows(model, rows(paths))]
    transcriber.close()
    await model.close()
    return sorted(found, key=lambda answer: answer.row_key)


async def test_a_row_that_fails_fails_alone_and_is_counted() -> None:
    special: dict[str, Callable[[], BinaryIO]] = {
        "gone": lambda: fail(Reason.FILE_NOT_FOUND),
        "down": lambda: fail(Reason.STORE_UNAVAILABLE),
        "bug": bug,
    }
    model = tiny()
    answers = await answers_of(FakeRecordings(special), ["5", "gone", "down", "bug", "7"], model)
    reasons = [
        answer.outcome.reason if isinstance(answer.outcome, ThanosqlError) else None for answer in answers
    ]
    assert reasons == [None, Reason.AUDIO_NOT_FOUND, Reason.STORE_UNAVAILABLE, Reason.INTERNAL, None]
    counters = model.counters
    assert (counters.rows_succeeded, counters.rows_failed, counters.rows_cancelled) == (2, 3, 0)
    assert counters.audio_s == pytest.approx(1.2)


async def test_the_source_is_closed_whatever_happens() -> None:
    sources = [io.BytesIO(wav(babble(0.5))), io.BytesIO(b"no audio")]
    special: dict[str, Callable[[], BinaryIO]] = {"good": lambda: sources[0], "bad": lambda: sources[1]}
    await answers_of(FakeRecordings(special), ["good", "bad"], tiny())
    assert all(source.closed for source in sources)


async def test_a_window_in_a_batch_is_heard_as_alone() -> None:
    batched = tiny(EngineOptions(max_batch_size=4, max_queue_delay_s=30.0))
    together = await answers_of(FakeRecordings(), ["5", "11", "8", "14"], batched)
    assert batched.counters.batches == 1
    for answer, path in zip(together, ["5", "11", "8", "14"], strict=True):
        (alone,) = await answers_of(FakeRecordings(), [path], tiny())
        assert alone.outcome == answer.outcome


async def test_bfloat16_answers() -> None:
    model = tiny(EngineOptions(dtype="bfloat16"))
    assert model.description == "torch cpu bfloat16"
    (answer,) = await answers_of(FakeRecordings(), ["20"], model)
    assert isinstance(answer.outcome, Transcript)


async def test_a_model_that_gives_no_numbers_says_so() -> None:
    checkpoint = tiny_model()
    checkpoint.lm_head.weight.data.fill_(float("inf"))
    engine = TorchEngine(checkpoint, EngineOptions())
    (failure,) = engine.finish(engine.run(engine.prepare([babble(0.5)[:, 0]])))
    assert isinstance(failure, ThanosqlError)
    assert failure.reason is Reason.INVALID_CHECKPOINT
    assert "gives no numbers" in failure.message


async def test_a_window_without_numbers_leaves_its_neighbour_in_the_batch_alone() -> None:
    model = tiny(EngineOptions(max_batch_size=2, max_queue_delay_s=30.0))
    good, bad = babble(0.5)[:, 0], np.full(8_000, np.nan, dtype=np.float32)
    heard, failure = await asyncio.gather(
        model.transcribe(good), model.transcribe(bad), return_exceptions=True
    )
    assert model.counters.batches == 1
    assert heard == await tiny().transcribe(good)
    assert isinstance(failure, ThanosqlError)
    assert failure.reason is Reason.INVALID_CHECKPOINT
    await model.close()


async def test_silent_windows_of_a_long_recording_are_not_computed() -> None:
    model = tiny(window_s=1.0, overlap_s=0.2)
    samples = np.concatenate([babble(2.0)[:, 0], np.zeros(160_000, dtype=np.float32), babble(2.0)[:, 0]])
    text = await model.transcribe(samples)
    assert text
    assert model.counters.batches < 9
    await model.close()


async def test_ten_minutes_of_silence_give_no_words_and_no_work() -> None:
    model = tiny()
    assert await model.transcribe(np.zeros(9_600_000, dtype=np.float32)) == ""
    assert model.counters.batches == 0
    await model.close()


async def test_a_recognize_call_that_is_late_is_not_computed() -> None:
    model = tiny()
    transcriber = Transcriber(recordings=FakeRecordings(), limits=Limits(), clock=SystemClock())
    with pytest.raises(ThanosqlError) as caught:
        await transcriber.recognize(model, wav(babble(0.5)), timeout_s=0.0)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert (model.counters.batches, model.counters.rows_failed) == (0, 1)
    transcriber.close()
    await model.close()


async def test_the_longest_duration_holds_for_rows() -> None:
    model = tiny()
    limits = Limits(max_duration_s=1.0)
    transcriber = Transcriber(recordings=FakeRecordings(), limits=limits, clock=SystemClock())
    (answer,) = [answer async for answer in transcriber.answer_rows(model, rows(["11"]))]
    assert isinstance(answer.outcome, ThanosqlError)
    assert answer.outcome.reason is Reason.AUDIO_TOO_LONG
    transcriber.close()
    await model.close()


async def test_a_budget_lets_in_what_fits_and_a_giant_alone() -> None:
    budget = SampleBudget(100)
    order: list[str] = []
    gates = {name: asyncio.Event() for name in ("small", "giant")}

    async def hold(name: str, samples: int) -> None:
        async with budget.hold(samples):
            order.append(name)
            await gates[name].wait()

    small = asyncio.ensure_future(hold("small", 60))
    giant = asyncio.ensure_future(hold("giant", 500))
    await settle()
    assert order == ["small"]
    gates["small"].set()
    await settle()
    assert order == ["small", "giant"]
    gates["giant"].set()
    await asyncio.gather(small, giant)
    assert budget.used_samples == 0


async def test_a_budget_is_given_back_by_who_is_cancelled() -> None:
    budget = SampleBudget(100)

    async def hold() -> None:
        async with budget.hold(80):
            await asyncio.Event().wait()

    holder, waiter = asyncio.ensure_future(hold()), asyncio.ensure_future(hold())
    await settle()
    waiter.cancel()
    holder.cancel()
    await asyncio.gather(holder, waiter, return_exceptions=True)
    assert budget.used_samples == 0


async def numbers(count: int, read: list[int]) -> AsyncIterator[int]:
    for number in range(count):
        read.append(number)
        yield number


async def test_no_more_than_the_limit_is_read_ahead() -> None:
    read: list[int] = []
    gate = asyncio.Event()

    async def answer(number: int) -> int:
        await gate.wait()
        return number

    answers = answer_each(numbers(10, read), answer, in_flight=3)
    first = asyncio.ensure_future(anext(answers))
    await settle()
    assert read == [0, 1, 2]
    gate.set()
    assert sorted([await first, *[number async for number in answers]]) == list(range(10))


async def test_the_quick_overtake_the_slow() -> None:
    gate = asyncio.Event()

    async def answer(number: int) -> int:
        if number == 0:
            await gate.wait()
        return number

    answers = answer_each(numbers(3, []), answer, in_flight=2)
    assert [await anext(answers), await anext(answers)] == [1, 2]
    gate.set()
    assert [number async for number in answers] == [0]


async def test_closing_cancels_what_is_in_flight() -> None:
    cancelled: list[int] = []

    async def answer(number: int) -> int:
        if number == 0:
            return number
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async with aclosing(answer_each(numbers(100, []), answer, in_flight=4)) as answers:
        assert await anext(answers) == 0
        await settle()
    assert cancelled


async def test_an_error_of_the_questions_ends_the_answers() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise error(Reason.INVALID_ARGUMENT, "not a row")

    async def answer(number: int) -> int:
        await asyncio.Event().wait()
        return number

    with pytest.raises(ThanosqlError, match="not a row"):
        async for _ in answer_each(broken(), answer, in_flight=4):
            pass


def test_statistics_are_copies_sorted_by_name_and_version() -> None:
    statistics = Statistics()
    statistics.of("b", 1).rows_succeeded += 1
    statistics.of("a", 2).rows_failed += 1
    snapshot = statistics.snapshot()
    statistics.of("b", 1).rows_succeeded += 1
    assert list(snapshot) == [("a", 2), ("b", 1)]
    assert snapshot["b", 1].rows_succeeded == 1
    assert list(statistics.snapshot("a")) == [("a", 2)]
