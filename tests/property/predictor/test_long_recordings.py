"""A long recording has the words of its dictation, wherever utterances end and however long they are."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.long_recordings import Cutter, Cutting, join_labels, join_scores
from services.predictor.core.waiting import Urgency
from tests.fakes.live_speech import (
    RATE_HZ,
    VOCABULARY,
    FakeLiveModel,
    FakeVoice,
    chunks_of,
    dictation,
    hear,
    pcm,
    silence,
    speech,
)
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.waveform import Samples

WORDS = st.lists(st.sampled_from(["ABC", "DEFG", "HI", "KLMNOP", "QRST"]), min_size=1, max_size=12)
PIECES = st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.7, 1.2]), WORDS), max_size=6)
SIZES = st.lists(st.integers(1, 65_536), max_size=30)
LIMITS = st.builds(
    partial(replace, LiveLimits(audio_bytes=1)),
    max_utterance_s=st.sampled_from([2.0, 3.0, 15.0]),
    cut_s=st.sampled_from([0.2, 1.0]),
    context_s=st.sampled_from([0.0, 1.0]),
)


def audio_of(pieces: list[tuple[float, list[str]]]) -> bytes:
    parts = [part for pause_s, words in pieces for part in (silence(pause_s), speech(" ".join(words)))]
    return pcm(silence(0.2), *parts)


async def dictated(limits: LiveLimits, parts: list[bytes]) -> str:
    finals = await hear(dictation(FakeLiveModel(touchy=True), limits=limits), parts)
    return " ".join(final.text for final in finals if final.text)


async def read(limits: LiveLimits, samples: Samples) -> tuple[str, str]:
    """The text by labels, and by scores."""
    model = FakeLiveModel(touchy=True)
    cutting = Cutting(limits=limits, new_voice=FakeVoice, sample_rate_hz=RATE_HZ)
    with ThreadPoolExecutor(1) as threads:
        cutter = Cutter(cutting, model.acoustics, threads, 2)
        labelled = await cutter.stretches(samples, partial(model.label, urgency=Urgency.RECORDING))
        scored = await cutter.stretches(samples, partial(model.score_window, urgency=Urgency.RECORDING))
    silent_fv = np.full((model.acoustics.geometry.frames(len(samples)), len(VOCABULARY)), -9.0, "f")
    silent_fv[:, VOCABULARY.blank_id] = 0.0
    (best,) = GreedyDecoder(VOCABULARY.blank_id).decode(join_scores(scored, silent_fv, VOCABULARY))
    by_labels = greedy_decode(join_labels(labelled, VOCABULARY), VOCABULARY)
    return by_labels, VOCABULARY.decode([heard.label for heard in best.labels])


@settings(max_examples=60, deadline=None)
@given(PIECES, SIZES, LIMITS)
def test_the_text_of_a_recording_is_that_of_all_final_results(
    pieces: list[tuple[float, list[str]]], sizes: list[int], limits: LiveLimits
) -> None:
    audio = audio_of(pieces)
    samples = np.frombuffer(audio, dtype="<i2").astype(np.float32) / np.float32(32_768)
    finals = asyncio.run(dictated(limits, list(chunks_of(audio, sizes))))
    assert asyncio.run(read(limits, samples)) == (finals, finals)
