"""Recordings longer than a window: noise, cancelling, failures, and what waits at once."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.decoding.n_best import NBestDecoder
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.voice import STEP_SAMPLES, VOICE_RATE_HZ, VoiceActivity, voice_weights
from services.predictor.core.long_recordings import Cutter, Cutting, Stretch, join_labels
from services.predictor.core.waiting import Urgency
from tests.deployment import ROOT
from tests.fakes.live_speech import RATE_HZ, FakeLiveModel, FakeVoice, silence, speech
from tests.fakes.predictor_engine import settle
from tests.fakes.predictor_storage import babble
from tests.unit.predictor.test_transcription import tiny
from thanosql_audio.decoding import decode
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.waveform import Samples
from thanosql_runtime.testing import eventually

RECORDINGS = ROOT / "examples/tutorial_data/librispeech_data/audio"
WINDOW_S = 2.0


def cutting(limits: LiveLimits | None = None) -> Cutting:
    """With the real detector."""
    return Cutting(
        limits=limits or LiveLimits(),
        new_voice=partial(VoiceActivity, voice_weights()),
        sample_rate_hz=VOICE_RATE_HZ,
    )


def talk() -> Samples:
    names = ("test_001", "test_002", "test_003")
    parts = [decode((RECORDINGS / f"{name}.flac").read_bytes()).samples for name in names]
    return np.concatenate([part for samples in parts for part in (samples, silence(1.0))])


class Rig:
    """Fakes that say one word after another, each an utterance."""

    def __init__(self, model: FakeLiveModel | None = None) -> None:
        self.model = model or FakeLiveModel()
        self.voice = FakeVoice()
        self._threads = ThreadPoolExecutor(1)
        fakes = Cutting(limits=LiveLimits(), new_voice=lambda: self.voice, sample_rate_hz=RATE_HZ)
        self._cutter = Cutter(fakes, self.model.acoustics, self._threads, 2)

    async def hear(self, samples: Samples) -> int:
        """How many utterances there are."""
        return len(await self._stretches(samples))

    async def read(self, samples: Samples) -> str:
        """What is said in them."""
        labels = join_labels(await self._stretches(samples), self.model.acoustics.vocabulary)
        return greedy_decode(labels, self.model.acoustics.vocabulary)

    async def _stretches(self, samples: Samples) -> list[Stretch[list[int]]]:
        return await self._cutter.stretches(samples, partial(self.model.label, urgency=Urgency.RECORDING))

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    made.close()


WORDS = np.concatenate([part for _ in range(60) for part in (speech("HEL"), silence(1.0))])


@pytest.mark.parametrize("level", [0.01, 0.3])
async def test_noise_gives_no_words_where_the_model_writes_some_for_it(level: float) -> None:
    noise = (level * np.random.default_rng(0).standard_normal(60 * RATE_HZ)).astype(np.float32)
    gullible, careful = tiny(), tiny(cutting=cutting())
    assert await gullible.transcribe(noise)
    assert await careful.transcribe(noise) == ""
    assert careful.counters.batches == 0
    (reading,) = await careful.decode(noise, GreedyDecoder(0))
    assert (reading.text, reading.words, reading.confidence) == ("", [], None)
    await gullible.close()
    await careful.close()


async def test_speech_between_noise_is_heard_and_nothing_else() -> None:
    noise = (0.01 * np.random.default_rng(0).standard_normal(40 * RATE_HZ)).astype(np.float32)
    said = decode((RECORDINGS / "test_001.flac").read_bytes()).samples
    model = tiny(cutting=cutting())
    (reading,) = await model.decode(np.concatenate([noise, said, noise]), GreedyDecoder(0))
    assert reading.words
    assert reading.words[0].start_s > 39.0
    assert reading.words[-1].end_s < 41.0 + len(said) / RATE_HZ
    await model.close()


async def test_what_fits_into_a_window_stays_whole() -> None:
    whole, cut = tiny(), tiny(cutting=cutting())
    samples = talk()[: 29 * RATE_HZ]
    assert await cut.transcribe(samples) == await whole.transcribe(samples)
    assert cut.counters.batches == whole.counters.batches == 1
    await whole.close()
    await cut.close()


async def test_the_text_is_the_same_with_all_that_may_be_told_beside_it() -> None:
    model = tiny(window_s=WINDOW_S, overlap_s=0.5, cutting=cutting(LiveLimits(max_utterance_s=WINDOW_S)))
    samples = talk()
    text = await model.transcribe(samples)
    (reading,) = await model.decode(samples, GreedyDecoder(0))
    assert reading.text == text
    assert " ".join(word.text for word in reading.words) == text
    times = [moment for word in reading.words for moment in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= len(samples) / RATE_HZ
    several = await model.decode(samples, NBestDecoder(model.acoustics.vocabulary, 3))
    assert len({one.text for one in several}) == 3
    await model.close()


async def test_a_model_of_another_rate_than_the_detector_hears_windows() -> None:
    other = Cutting(limits=LiveLimits(), new_voice=FakeVoice, sample_rate_hz=8_000)
    model, plain = (
        tiny(window_s=WINDOW_S, overlap_s=0.5, cutting=other),
        tiny(window_s=WINDOW_S, overlap_s=0.5),
    )
    samples = babble(5.0)[:, 0]
    assert await model.transcribe(samples) == await plain.transcribe(samples)
    assert model.manner == plain.manner
    await model.close()
    await plain.close()


async def test_how_recordings_are_cut_tells_transcripts_apart() -> None:
    models = [
        tiny(),
        tiny(cutting=cutting()),
        tiny(cutting=cutting(LiveLimits(endpoint_silence_s=0.7))),
        tiny(cutting=cutting(LiveLimits(context_s=2.0))),
    ]
    assert len({model.manner for model in models}) == len(models)
    for model in models:
        await model.close()


async def test_few_utterances_wait_at_once_and_the_detector_waits_with_them(rig: Rig) -> None:
    rig.model.may_answer.clear()
    hearing = asyncio.ensure_future(rig.hear(WORDS))
    await eventually(lambda: rig.model.waiting == 2)
    assert rig.voice.heard_samples < len(WORDS) / 3
    rig.model.may_answer.set()
    assert await hearing == 60
    assert rig.voice.heard_samples == len(WORDS)


async def test_an_utterance_that_is_cut_waits_among_the_others(rig: Rig) -> None:
    rig.model.may_answer.clear()
    samples = np.concatenate([speech("HEL"), silence(1.0), speech(" ".join(["ABC"] * 200)), WORDS])
    hearing = asyncio.ensure_future(rig.hear(samples))
    await eventually(lambda: rig.model.waiting == 2)
    await settle()
    assert rig.model.waiting == 2
    rig.model.may_answer.set()
    assert await hearing > 4


async def test_utterances_keep_their_order_whichever_is_ready_first() -> None:
    class FirstComesLast(FakeLiveModel):
        async def label(self, samples: Samples, urgency: Urgency) -> list[int]:
            if not self.windows:
                self.windows.append((urgency, len(samples)))
                await eventually(lambda: len(self.windows) == 4)
            return await super().label(samples, urgency)

    rig = Rig(model=FirstComesLast())
    parts = [part for word in ("ABC", "DEF", "GHI", "KLM") for part in (speech(word), silence(1.0))]
    assert await rig.read(np.concatenate(parts)) == "ABC DEF GHI KLM"
    rig.close()


async def test_a_click_is_not_heard_by_the_model(rig: Rig) -> None:
    click = np.full(STEP_SAMPLES, 0.5, dtype=np.float32)
    before = silence(40 * STEP_SAMPLES / RATE_HZ)
    assert await rig.hear(np.concatenate([before, click, before])) == 0
    assert rig.model.windows == []
    assert await rig.hear(np.concatenate([before, click, click, before])) == 1


async def test_a_recording_that_is_cancelled_leaves_nothing_behind(rig: Rig) -> None:
    rig.model.may_answer.clear()
    hearing = asyncio.ensure_future(rig.hear(WORDS))
    await eventually(lambda: rig.model.waiting == 2)
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    assert rig.model.waiting == 0
    assert len(asyncio.all_tasks()) == 1


async def test_a_failure_ends_the_recording_also_where_an_utterance_is_cut(rig: Rig) -> None:
    rig.model.failure = RuntimeError("the device fell off the bus")
    for samples in (WORDS, speech(" ".join(["ABC"] * 200))):
        with pytest.raises(RuntimeError, match="fell off"):
            await rig.hear(samples)
    assert len(asyncio.all_tasks()) == 1
