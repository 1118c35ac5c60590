"""However a stream is cut into messages, its final results are the same, in order, and it ends once."""

import asyncio
import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.predictor.core.live.arriving import Arriving, Tape
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.types import Finalize, LiveResult, Part
from tests.fakes.live_speech import FakeLiveModel, chunks_of, dictation, hear, pcm, silence, speech

WORDS = st.lists(st.sampled_from(["ABC", "DEFG", "HI", "KLMNOP", "QRST"]), min_size=1, max_size=12)
PAUSES = st.sampled_from([0.1, 0.5, 0.7, 1.2])
PIECES = st.lists(st.tuples(PAUSES, WORDS), max_size=5)
# Messages that pile up are heard as one; here each is heard before the next one is read.
ONE_BY_ONE = LiveLimits(audio_bytes=1)
SIZES = st.lists(st.integers(1, 65_536), max_size=30)
SPOKEN_SIZES = st.integers(640, 32_000).map(lambda size: [size] * (1_000_000 // size))


def audio_of(pieces: list[tuple[float, list[str]]]) -> bytes:
    parts = [part for pause_s, words in pieces for part in (silence(pause_s), speech(" ".join(words)))]
    return pcm(silence(0.2), *parts)


def heard(parts: list[Part], *, interim_results: bool = False) -> list[LiveResult]:
    results = asyncio.run(_heard(parts, interim_results))
    return [result for result in results if result.is_final]


async def _heard(parts: list[Part], interim_results: bool) -> list[LiveResult]:
    listener = dictation(FakeLiveModel(), interim_results=interim_results, limits=ONE_BY_ONE)
    return await hear(listener, parts)


@settings(max_examples=40, deadline=None)
@given(PIECES, SIZES, st.booleans())
def test_any_cutting_gives_the_same_final_results(
    pieces: list[tuple[float, list[str]]], sizes: list[int], interim_results: bool
) -> None:
    audio = audio_of(pieces)
    whole = heard([audio] if audio else [])
    assert heard(list(chunks_of(audio, sizes)), interim_results=interim_results) == whole
    assert " ".join(final.text for final in whole).split() == [word for _, words in pieces for word in words]


@settings(max_examples=40, deadline=None)
@given(PIECES, SPOKEN_SIZES, SPOKEN_SIZES)
def test_what_a_final_result_hears_does_not_depend_on_the_cutting_either(
    pieces: list[tuple[float, list[str]]], sizes: list[int], others: list[int]
) -> None:
    audio, limits = audio_of(pieces), replace(ONE_BY_ONE, context_s=1.0, max_utterance_s=3.0, cut_s=1.0)

    def finals(parts: list[Part]) -> list[LiveResult]:
        return asyncio.run(_heard_by(FakeLiveModel(touchy=True), limits, parts))

    assert finals(list(chunks_of(audio, sizes))) == finals(list(chunks_of(audio, others)))


async def _heard_by(model: FakeLiveModel, limits: LiveLimits, parts: list[Part]) -> list[LiveResult]:
    return await hear(dictation(model, limits=limits), parts)


@settings(max_examples=40, deadline=None)
@given(PIECES, SIZES, st.data())
def test_offsets_never_go_back_and_every_wish_for_an_end_has_its_answer(
    pieces: list[tuple[float, list[str]]], sizes: list[int], data: st.DataObject
) -> None:
    audio = audio_of(pieces)
    parts: list[Part] = list(chunks_of(audio, sizes))
    wishes = data.draw(st.lists(st.integers(0, len(parts)), max_size=4))
    for place in sorted(wishes, reverse=True):
        parts.insert(place, Finalize())
    finals = heard(parts)
    offsets = [offset for final in finals for offset in (final.start_s, final.end_s)]
    assert all(before <= after + 1e-9 for before, after in itertools.pairwise(offsets))
    assert all(0.0 <= offset <= len(audio) / 32_000 + 1e-9 for offset in offsets)
    assert len(finals) >= len(wishes)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 100_000)), max_size=20))
def test_what_is_kept_of_a_stream_is_what_was_said_and_no_more(steps: list[tuple[int, int]]) -> None:
    tape, said, begin = Tape(), np.zeros(0, dtype=np.float32), 0
    for length, needed in steps:
        new = np.arange(len(said), len(said) + length, dtype=np.float32)
        said = np.concatenate([said, new])
        tape.append(new)
        begin = max(begin, len(said) - needed)
        tape.forget_before(begin)
        assert tape.end == len(said)
        assert begin - (1 << 16) <= tape.begin <= begin
        assert np.array_equal(tape.part(begin, len(said)), said[begin:])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]), SIZES)
def test_any_cutting_gives_the_same_samples_at_the_rate_of_the_model(rate_hz: int, sizes: list[int]) -> None:
    audio = np.random.default_rng(rate_hz).integers(-9000, 9000, rate_hz).astype("<i2").tobytes()

    def samples(parts: list[bytes]) -> np.ndarray:
        arriving = Arriving(rate_hz, 16_000)
        return np.concatenate([*(arriving.take(part) for part in parts), arriving.flush()])

    whole = samples([audio])
    assert len(whole) == 16_000 or rate_hz == 11_025
    assert np.array_equal(samples(chunks_of(audio, sizes)), whole)
