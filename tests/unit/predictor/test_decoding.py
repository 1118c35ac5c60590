"""From the scores of frames to hypotheses."""

import numpy as np
import pytest

from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.openvino_scorer import log_softmax
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.torch_scorer import TorchScorer
from services.predictor.core.windows import stitch, stitch_scores
from tests.fakes.predictor_checkpoints import tiny_model
from tests.fakes.predictor_storage import babble
from tests.unit.predictor.test_transcription import tiny

BLANK = 0


def scores_of(labels: list[int], size: int = 6, probability: float = 0.9) -> LogProbabilities:
    """Frames in which these labels are as probable as told, and the others share the rest."""
    scores_fv = np.full((len(labels), size), np.log((1 - probability) / (size - 1)), dtype=np.float32)
    scores_fv[np.arange(len(labels)), labels] = np.log(probability)
    return scores_fv


def test_greedy_decoding_says_where_each_label_was_heard() -> None:
    (hypothesis,) = GreedyDecoder(BLANK).decode(scores_of([0, 3, 3, 0, 3, 4, 0]))
    heard = [(label.label, label.first_frame, label.last_frame) for label in hypothesis.labels]
    assert heard == [(3, 1, 2), (3, 4, 4), (4, 5, 5)]
    assert [label.log_probability for label in hypothesis.labels] == pytest.approx([np.log(0.9)] * 3)
    assert hypothesis.score == pytest.approx(7 * np.log(0.9), rel=1e-5)


@pytest.mark.parametrize("labels", [[], [0, 0, 0]])
def test_greedy_decoding_hears_nothing_in_blanks(labels: list[int]) -> None:
    (hypothesis,) = GreedyDecoder(BLANK).decode(scores_of(labels))
    assert not hypothesis.labels


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_cut_where_their_labels_are(seed: int) -> None:
    generator = np.random.default_rng(seed)
    pieces = [
        (first, log_softmax(generator.normal(size=(50, 6)).astype(np.float32))) for first in (0, 40, 47)
    ]
    labels = [(first, piece.argmax(axis=-1).tolist()) for first, piece in pieces]
    stitched = stitch_scores(pieces, {0, 4})
    assert stitched.argmax(axis=-1).tolist() == stitch(labels, {0, 4})


def test_scores_are_logarithms_of_probabilities_and_agree_with_the_labels() -> None:
    engine = TorchEngine(tiny_model(), EngineOptions())
    windows = [babble(seconds)[:, 0] for seconds in (0.7, 1.2)]
    labels = engine.finish(engine.run(engine.prepare(windows)))
    scorer = TorchScorer(engine)
    scores = scorer.finish(scorer.run(scorer.prepare(windows)))
    for row, expected in zip(scores, labels, strict=True):
        assert isinstance(row, np.ndarray)
        assert np.exp(row).sum(axis=-1) == pytest.approx(np.ones(len(row)), abs=1e-4)
        assert row.argmax(axis=-1).tolist() == expected


@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.0, 12.0])
async def test_the_best_hypothesis_is_the_transcript_also_of_a_long_recording(seconds: float) -> None:
    model = tiny(window_s=5.0, overlap_s=1.0)
    samples = babble(seconds)[:, 0]
    samples[: len(samples) // 2 : 3] = 0.0
    (reading,) = await model.decode(samples, GreedyDecoder(BLANK))
    assert reading.text == await model.transcribe(samples)
    assert " ".join(word.text for word in reading.words) == reading.text
    await model.close()


async def test_silent_windows_say_nothing_and_are_not_computed() -> None:
    model = tiny(window_s=5.0, overlap_s=1.0)
    silence = np.zeros(10 * 16_000, dtype=np.float32)
    silence[-16_000:] = babble(1.0)[:, 0]
    (reading,) = await model.decode(silence, GreedyDecoder(BLANK))
    assert model.counters.batches == 1
    assert reading.words
    assert all(word.end_s > 5.0 for word in reading.words)
    await model.close()


def test_log_softmax_keeps_what_is_no_number() -> None:
    assert np.isnan(log_softmax(np.array([[np.inf, 0.0]], dtype=np.float32))).any()
