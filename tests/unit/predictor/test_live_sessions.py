"""One stream: utterances, interim results, wishes for an end, and every way to end."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.types import Finalize, Part
from services.predictor.core.waiting import Urgency
from tests.fakes.live_speech import (
    VOCABULARY,
    FakeLiveModel,
    FakeVoice,
    dictation,
    hear,
    pcm,
    silence,
    speech,
)
from tests.fakes.predictor_engine import FakeClock, settle
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.testing import eventually


class WordlessOnce(FakeLiveModel):
    """Finds no words in what the first final result hears."""

    async def label(self, samples: Samples, urgency: Urgency) -> list[int]:
        is_first = urgency is Urgency.FINAL and all(one is not urgency for one, _ in self.windows)
        labels = await super().label(samples, urgency)
        return [VOCABULARY.blank_id] * len(labels) if is_first else labels


HELLO, WORLD = speech("HEL PLEASE"), speech("WORLD")


async def test_every_utterance_gives_one_final_result_with_its_place() -> None:
    audio = pcm(silence(1), HELLO, silence(1), WORLD, silence(0.3))
    first, second = await hear(dictation(FakeLiveModel()), [audio])
    assert (first.text, second.text) == ("HEL PLEASE", "WORLD")
    assert first.is_final
    assert second.is_final
    assert first.start_s == pytest.approx(1.0, abs=0.03)
    assert first.end_s == pytest.approx(1.6, abs=0.03)
    assert second.start_s == pytest.approx(2.6, abs=0.03)


async def test_silence_alone_gives_nothing_and_is_never_computed() -> None:
    model = FakeLiveModel()
    assert await hear(dictation(model, interim_results=True), [pcm(silence(5))] * 3) == []
    assert model.windows == []


async def test_the_end_of_the_stream_ends_the_utterance() -> None:
    (final,) = await hear(dictation(FakeLiveModel()), [pcm(HELLO)])
    assert final.text == "HEL PLEASE"


async def test_a_wish_for_an_end_is_answered_by_one_final_result_also_in_silence() -> None:
    parts = [pcm(HELLO), Finalize(), pcm(WORLD), Finalize(), Finalize()]
    finals = await hear(dictation(FakeLiveModel()), parts)
    assert [final.text for final in finals] == ["HEL PLEASE", "WORLD", ""]
    assert all(final.is_final for final in finals)


async def test_an_utterance_that_is_too_long_is_cut_between_two_words_and_loses_none() -> None:
    limits = LiveLimits(max_utterance_s=3.0, cut_s=1.0)
    text = " ".join(["ABC", "DEFGH", "IK"] * 8)
    model = FakeLiveModel()
    finals = await hear(dictation(model, limits=limits), [pcm(speech(text))])
    assert len(finals) > 2
    assert " ".join(final.text for final in finals) == text


async def test_a_final_result_hears_what_was_said_before_but_not_more_than_the_limit() -> None:
    model = FakeLiveModel()
    limits = LiveLimits(context_s=2.0)
    await hear(dictation(model, limits=limits), [pcm(HELLO, silence(1))] * 8)
    lengths = {length for urgency, length in model.windows if urgency is Urgency.FINAL}
    assert max(lengths) <= 2.0 * 16_000 + 320


async def interims_of(text: str) -> list[tuple[str, str]]:
    """The settled words and the others, result by result; the words arrive one step at a time."""
    audio, model, voice = pcm(speech(text), silence(1)), FakeLiveModel(), FakeVoice()

    async def slowly() -> AsyncIterator[Part]:
        for begin in range(0, len(audio), 3200):
            yield audio[begin : begin + 3200]
            until = min(len(audio), begin + 3200) // 2
            await eventually(lambda until=until: voice.heard_samples == until and not model.waiting)
            await settle()

    limits = LiveLimits(interim_interval_s=0.1, settling_s=0.1)
    listener = dictation(model, interim_results=True, limits=limits, clock=FakeClock(), voice=voice)
    heard = []
    async for results in listener.results(slowly()):
        if not results[0].is_final:
            stable = " ".join(result.text for result in results if result.stability >= 0.5)
            heard.append((stable, " ".join(result.text for result in results)))
    return heard


async def test_settled_words_only_grow_and_interim_results_show_what_is_being_said() -> None:
    text = "ABC DEFG HIK LMN OPQR STU VWX"
    heard = await interims_of(text)
    assert len(heard) > 3
    for (before, _), (after, shown) in itertools.pairwise(heard):
        assert after.startswith(before)
        assert shown.startswith(after)
        assert text.startswith(after)


async def test_the_final_result_is_computed_ahead_of_the_endpoint_and_only_once() -> None:
    model = FakeLiveModel()
    listener = dictation(model, limits=LiveLimits(endpoint_silence_s=2.0, after_s=0.3))
    spoken = asyncio.Event()

    async def pausing() -> AsyncIterator[Part]:
        yield pcm(HELLO, silence(0.5))
        await eventually(lambda: len(model.windows) == 1)
        yield pcm(silence(2.0))
        await spoken.wait()

    results = listener.results(pausing())
    (final,) = await anext(results)
    assert (final.text, len(model.windows)) == ("HEL PLEASE", 1)
    spoken.set()
    assert [result async for result in results] == []


async def test_what_was_begun_ahead_is_taken_back_where_somebody_goes_on() -> None:
    model = FakeLiveModel()
    model.may_answer.clear()

    async def going_on() -> AsyncIterator[Part]:
        yield pcm(HELLO, silence(0.5))
        await eventually(lambda: model.waiting == 1)
        yield pcm(WORLD)
        await eventually(lambda: not model.waiting)
        model.may_answer.set()

    (final,) = [result async for results in dictation(model).results(going_on()) for result in results]
    assert final.text == "HEL PLEASE WORLD"


async def test_interim_results_are_made_only_where_they_are_wanted() -> None:
    model = FakeLiveModel()
    await hear(dictation(model), [pcm(HELLO)])
    assert {urgency for urgency, _ in model.windows} == {Urgency.FINAL}


async def test_an_interim_result_that_waits_is_taken_back_when_the_utterance_ends() -> None:
    model = FakeLiveModel()
    model.may_answer.clear()

    async def talking() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        await eventually(lambda: model.waiting > 0)
        yield Finalize()
        await eventually(lambda: model.windows[-1][0] is Urgency.FINAL)
        assert model.waiting == 1
        model.may_answer.set()

    listener = dictation(model, interim_results=True)
    heard = [result async for results in listener.results(talking()) for result in results]
    assert [result.text for result in heard] == ["HEL PLEASE"]


async def failing(
    listener_parts: AsyncIterator[Part], *, model: FakeLiveModel | None = None, **more: Any
) -> tuple[list[str], Reason]:
    heard: list[str] = []
    listener = dictation(model or FakeLiveModel(), **more)
    try:
        async for results in listener.results(listener_parts):
            heard += [result.text for result in results]
    except ThanosqlError as failure:
        return heard, failure.reason
    raise AssertionError("the stream ended well")


async def test_a_stream_that_falls_silent_ends_after_a_time_with_what_was_heard() -> None:
    clock = FakeClock()

    async def stuck() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        await settle()
        while True:
            clock.advance(10.0)
            await settle()

    heard, reason = await failing(stuck(), clock=clock)
    assert (heard, reason) == (["HEL PLEASE"], Reason.DEADLINE_EXCEEDED)


async def test_the_time_in_which_an_answer_is_made_is_no_silence_of_the_caller() -> None:
    clock, model, answered = FakeClock(), FakeLiveModel(), asyncio.Event()
    model.may_answer.clear()

    async def waiting_for_the_answer() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        yield Finalize()
        await eventually(lambda: model.waiting > 0)
        clock.advance(31.0)
        model.may_answer.set()
        await answered.wait()
        yield pcm(WORLD)

    heard = []
    async for results in dictation(model, clock=clock).results(waiting_for_the_answer()):
        heard += [result.text for result in results]
        asyncio.get_running_loop().call_later(0, answered.set)
    assert heard == ["HEL PLEASE", "WORLD"]


@pytest.mark.parametrize("part", [b"", Finalize()], ids=["empty audio", "a wish for an end"])
async def test_what_carries_no_audio_keeps_no_stream_open(part: Part) -> None:
    clock = FakeClock()

    async def without_audio() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        while True:
            yield part
            await settle()
            clock.advance(10.0)

    heard, reason = await failing(without_audio(), clock=clock)
    assert (heard[0], reason) == ("HEL PLEASE", Reason.DEADLINE_EXCEEDED)


async def test_what_ends_every_stream_ends_this_one_with_what_was_heard() -> None:
    stopping = asyncio.Event()

    async def stopped() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        stopping.set()
        await asyncio.Event().wait()

    endings = {stopping: lambda: error(Reason.PEER_UNAVAILABLE, "going")}
    assert await failing(stopped(), endings=endings) == (["HEL PLEASE"], Reason.PEER_UNAVAILABLE)


async def test_what_had_come_before_the_end_of_every_stream_is_heard() -> None:
    stopping, model = asyncio.Event(), FakeLiveModel()
    model.may_answer.clear()

    async def stopped_meanwhile() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        yield Finalize()
        await eventually(lambda: model.waiting > 0)
        yield pcm(WORLD, silence(1))
        yield pcm(speech("ABC"))
        stopping.set()
        model.may_answer.set()
        await asyncio.Event().wait()

    endings = {stopping: lambda: error(Reason.PEER_UNAVAILABLE, "going")}
    heard, _ = await failing(stopped_meanwhile(), model=model, endings=endings)
    assert heard == ["HEL PLEASE", "WORLD", "ABC"]


async def test_a_cut_utterance_without_words_ends_where_the_next_one_begins() -> None:
    limits = LiveLimits(max_utterance_s=3.0, cut_s=2.0, interim_interval_s=0.1)
    model = WordlessOnce()

    async def talking() -> AsyncIterator[Part]:
        audio = pcm(speech(" ".join(["ABC", "DEFGH", "IK"] * 12)))
        yield audio[:32_000]
        await eventually(lambda: any(urgency is Urgency.INTERIM for urgency, _ in model.windows))
        await settle()
        yield audio[32_000:]

    listener = dictation(model, interim_results=True, limits=limits)
    finals = [results[0] async for results in listener.results(talking()) if results[0].is_final]
    assert finals[0].text == ""
    assert finals[0].end_s <= finals[1].start_s


async def test_a_model_that_fails_fails_the_stream() -> None:
    model = FakeLiveModel()
    model.failure = error(Reason.INVALID_CHECKPOINT, "no numbers")
    with pytest.raises(ThanosqlError) as raised:
        await hear(dictation(model), [pcm(HELLO)])
    assert raised.value.reason is Reason.INVALID_CHECKPOINT


async def test_a_stream_that_is_left_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    model = FakeLiveModel()
    model.may_answer.clear()

    async def endless() -> AsyncIterator[Part]:
        yield pcm(HELLO)
        await asyncio.Event().wait()

    results = dictation(model, interim_results=True).results(endless())
    task = asyncio.ensure_future(anext(results))
    await eventually(lambda: model.waiting > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await results.aclose()
    assert asyncio.all_tasks() == before
    assert model.waiting == 0


async def test_a_caller_who_does_not_read_is_not_read_from_either() -> None:
    sent = 0

    async def fast() -> AsyncIterator[Part]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield pcm(HELLO, silence(1))

    limits = LiveLimits(audio_bytes=100_000)
    results = dictation(FakeLiveModel(), limits=limits).results(fast())
    await anext(results)
    for _ in range(20):
        await settle()
    assert sent < 10
    await results.aclose()


async def test_final_results_tell_their_words_when_asked_for() -> None:
    audio = pcm(silence(1), HELLO, silence(1), WORLD, silence(0.3))
    plain = await hear(dictation(FakeLiveModel()), [audio])
    first, second = await hear(dictation(FakeLiveModel(), word_times=True, confidence=True), [audio])
    assert [final.text for final in plain] == [first.text, second.text]
    assert [word.text for word in (*first.words, *second.words)] == ["HEL", "PLEASE", "WORLD"]
    edges = [edge for word in (*first.words, *second.words) for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert second.words[0].start_s == pytest.approx(2.6, abs=0.1)
    assert all(0.0 < (word.confidence or 0.0) < 1.0 for word in first.words)
    assert first.confidence is not None


async def test_confidence_of_final_results_comes_without_words_too() -> None:
    (final,) = await hear(dictation(FakeLiveModel(), confidence=True), [pcm(HELLO)])
    assert final.confidence is not None
    assert final.words == ()


async def test_nothing_more_is_told_of_final_results_that_nobody_asked_for() -> None:
    (final,) = await hear(dictation(FakeLiveModel()), [pcm(HELLO)])
    assert (final.words, final.confidence) == ((), None)
