"""When the words of live audio were said."""

import asyncio

import numpy as np

from services.predictor.core.acoustics import Acoustics
from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.live.arriving import Tape
from services.predictor.core.live.decoding import Decoder
from services.predictor.core.live.endpointing import Utterance
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.openvino_scorer import log_softmax
from services.predictor.core.statistics import Counters
from services.predictor.core.waiting import Urgency
from services.predictor.core.windows import Geometry
from tests.fakes.predictor_checkpoints import tiny_vocabulary
from thanosql_ctc.waveform import Samples

RATE_HZ = 16_000
GEOMETRY = Geometry(receptive_field=400, samples_per_frame=320, window_frames=1500, overlap_frames=200)


class RegularSpeaker:
    """Hears a word of one letter every half second, whatever there is."""

    def __init__(self) -> None:
        self.acoustics = Acoustics(
            vocabulary=tiny_vocabulary(),
            sample_rate_hz=RATE_HZ,
            do_normalize=False,
            geometry=GEOMETRY,
            hidden_size=4,
        )
        self.counters = Counters()
        self.leaving = asyncio.Event()

    async def label(self, samples: Samples, urgency: Urgency) -> list[int]:
        return [int(label) for label in (await self.score_window(samples, urgency)).argmax(axis=-1)]

    async def score_window(self, samples: Samples, urgency: Urgency) -> LogProbabilities:
        tokens = self.acoustics.vocabulary.tokens
        scores = np.full((GEOMETRY.frames(len(samples)), len(tokens)), -8.0, dtype=np.float32)
        scores[:, self.acoustics.vocabulary.blank_id] = 0.0
        scores[10::25, tokens.index("O")] = 8.0
        scores[22::25, tokens.index("|")] = 8.0
        return log_softmax(scores)


def speech_without_a_pause(seconds: float) -> Samples:
    return np.random.default_rng(0).normal(size=round(seconds * RATE_HZ)).astype(np.float32) * 0.1


async def test_the_words_of_an_utterance_that_is_cut_end_where_it_is_cut() -> None:
    tape = Tape()
    samples = speech_without_a_pause(15.0)
    for quiet in ((0.0, 2.5), (10.6, 11.0)):  # the second one lies just behind the cut
        samples[round(quiet[0] * RATE_HZ) : round(quiet[1] * RATE_HZ)] *= 1e-3
    tape.append(samples)
    decoder = Decoder(RegularSpeaker(), tape, LiveLimits(), in_detail=True)
    end = len(samples)
    heard = await decoder.final(Utterance(begin=0, end=end, heard_until=end, is_cut=True))
    assert heard.end * GEOMETRY.samples_per_frame < end
    assert heard.reading is not None
    assert heard.reading.words[-1].end_s <= decoder.seconds(heard.end)
