"""Words of the bundled model lie where they were said: in recordings put behind each other with pauses."""

import csv
from collections.abc import AsyncIterator
from difflib import SequenceMatcher
from functools import partial

import numpy as np
import pytest

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.clock import SystemClock
from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.decoding.types import Reading
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.voice import VOICE_RATE_HZ, VoiceActivity, voice_weights
from services.predictor.core.loaded_model import Engines, LoadedModel
from services.predictor.core.long_recordings import Cutting
from services.predictor.core.statistics import Counters
from services.predictor.core.torch_embedder import TorchEmbedder
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.torch_scorer import TorchScorer
from services.predictor.core.types import ModelRecord
from tests.deployment import ROOT, SHARED_DATA
from thanosql_audio.decoding import decode
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_ctc.waveform import Samples

BUNDLED = ROOT / "models" / "wav2vec2_en_small"
AUDIO = ROOT / "examples" / "tutorial_data" / "librispeech_data" / "audio"
RATE_HZ = 16_000
PAUSE_S = 1.3
NEAR_S = 0.04
_SPOKEN_DB = -30.0


@pytest.fixture(params=["utterances", "windows"])
async def model(request: pytest.FixtureRequest) -> AsyncIterator[LoadedModel]:
    cutting = Cutting(
        limits=LiveLimits(),
        new_voice=partial(VoiceActivity, voice_weights()),
        sample_rate_hz=VOICE_RATE_HZ,
    )
    checkpoint, hearing = load_checkpoint(BUNDLED), Hearing(window_s=12.0, overlap_s=2.0)
    engine = TorchEngine(checkpoint.model, EngineOptions())
    loaded = LoadedModel(
        record=ModelRecord(name="bundled", version=1, artefacts=()),
        engines=Engines(labels=engine, scores=TorchScorer(engine), frames=TorchEmbedder(engine)),
        acoustics=Acoustics.of(checkpoint, hearing),
        hearing=hearing,
        clock=SystemClock(),
        counters=Counters(),
        cutting=cutting if request.param == "utterances" else None,
    )
    yield loaded
    await loaded.close()


async def read(model: LoadedModel, samples: Samples) -> Reading:
    decoder = GreedyDecoder(model.acoustics.vocabulary.blank_id)
    (reading,) = await model.decode(samples, decoder)
    return reading


def spoken_part(samples: Samples) -> Samples:
    """A recording without the silence around it: from its first to its last loud moment."""
    powers = np.convolve(np.square(samples), np.full(160, 1 / 160), "same")
    loud = np.flatnonzero(powers > powers.max() * 10 ** (_SPOKEN_DB / 10))
    return samples[loud[0] : loud[-1] + 1]


async def test_words_lie_within_their_recordings_also_across_cuts(model: LoadedModel) -> None:
    pause = np.random.default_rng(0).normal(size=round(PAUSE_S * RATE_HZ)).astype(np.float32) * 1e-4
    parts, bounds, begin = [pause], [], len(pause)
    for recording in sorted(AUDIO.glob("test_*.flac"))[:12]:
        samples = spoken_part(decode(recording.read_bytes()).samples)
        bounds.append((begin / RATE_HZ, (begin + len(samples)) / RATE_HZ))
        parts += [samples, pause]
        begin += len(samples) + len(pause)
    reading = await read(model, np.concatenate(parts))
    inside = [
        [word for word in reading.words if first_s - PAUSE_S / 2 < word.start_s < last_s + PAUSE_S / 2]
        for first_s, last_s in bounds
    ]
    assert sum(map(len, inside)) == len(reading.words)
    edges = [
        abs(edge_s)
        for words, (first_s, last_s) in zip(inside, bounds, strict=True)
        for edge_s in (words[0].start_s - first_s, words[-1].end_s - last_s)
    ]
    # The model does not hear every first and last word.
    assert sum(edge_s <= NEAR_S for edge_s in edges) >= 0.75 * len(edges)


@pytest.mark.skipif(not (SHARED_DATA / "long").exists(), reason="needs the recording of a whole chapter")
async def test_words_of_a_long_recording_lie_within_their_utterances(model: LoadedModel) -> None:
    samples = decode((SHARED_DATA / "long" / "26-496.flac").read_bytes()).samples
    reading = await read(model, samples)
    with (SHARED_DATA / "long" / "26-496.csv").open(encoding="utf-8") as table:
        rows = [(float(row["start"]), float(row["end"]), row["text"]) for row in csv.DictReader(table)]
    said = [(word, start_s, end_s) for start_s, end_s, text in rows for word in text.split()]
    matcher = SequenceMatcher(
        None, [word for word, *_ in said], [word.text for word in reading.words], autojunk=False
    )
    pairs = [
        (said[block.a + index], reading.words[block.b + index])
        for block in matcher.get_matching_blocks()
        for index in range(block.size)
    ]
    within = [
        start_s - NEAR_S <= word.start_s and word.end_s <= end_s + NEAR_S
        for (_, start_s, end_s), word in pairs
    ]
    assert len(within) > len(said) / 2
    assert sum(within) >= 0.98 * len(within)
