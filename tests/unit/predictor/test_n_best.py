"""Several readings: the most probable texts over all paths of frames, each once, with their places."""

from itertools import groupby, product

import numpy as np
import pytest

from services.predictor.core.decoding.n_best import NBestDecoder
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities
from services.predictor.core.openvino_scorer import log_softmax
from thanosql_ctc.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of_characters("AB")
BLANK, DELIMITER, A, B = 0, 4, 5, 6


def random_scores(frames: int, seed: int) -> LogProbabilities:
    """Frames in which blank, delimiter and two letters are possible, and special labels hardly."""
    logits = np.random.default_rng(seed).normal(size=(frames, len(VOCABULARY))).astype(np.float32) * 2
    logits[:, 1:4] = -50
    return log_softmax(logits)


def certain_scores(labels: list[int]) -> LogProbabilities:
    logits = np.zeros((len(labels), len(VOCABULARY)), dtype=np.float32)
    logits[np.arange(len(labels)), labels] = 12.0
    return log_softmax(logits)


def text_of(hypothesis: Hypothesis) -> str:
    return VOCABULARY.decode([label.label for label in hypothesis.labels])


def probabilities_of_texts(scores_fv: LogProbabilities) -> dict[str, float]:
    """Every path of frames, the slow way."""
    found: dict[str, float] = {}
    for path in product((BLANK, DELIMITER, A, B), repeat=len(scores_fv)):
        text = VOCABULARY.decode([label for label, _run in groupby(path) if label != BLANK])
        probability = float(np.exp(sum(scores_fv[frame, label] for frame, label in enumerate(path))))
        found[text] = found.get(text, 0.0) + probability
    return found


@pytest.mark.parametrize("seed", range(20))
def test_readings_are_the_most_probable_texts(seed: int) -> None:
    scores_fv = random_scores(5, seed)
    truth = sorted(probabilities_of_texts(scores_fv).items(), key=lambda pair: -pair[1])[:3]
    found = NBestDecoder(VOCABULARY, 64).decode(scores_fv)[:3]
    assert [text_of(one) for one in found] == [text for text, _probability in truth]
    # Labels below a hundredth are no candidates, which leaves a little out.
    assert np.exp([one.score for one in found]) == pytest.approx([p for _text, p in truth], rel=0.1)


def test_each_label_is_told_where_it_was_heard() -> None:
    hypothesis = NBestDecoder(VOCABULARY, 3).decode(certain_scores([0, A, A, 0, A, 0, DELIMITER, 0, B, 0]))[0]
    heard = [(label.label, label.first_frame, label.last_frame) for label in hypothesis.labels]
    assert heard == [(A, 1, 2), (A, 4, 4), (DELIMITER, 6, 6), (B, 8, 8)]


@pytest.mark.parametrize("scores_fv", [random_scores(0, 0), certain_scores([0] * 30)])
def test_silence_has_one_empty_reading(scores_fv: LogProbabilities) -> None:
    (hypothesis,) = NBestDecoder(VOCABULARY, 5).decode(scores_fv)
    assert not hypothesis.labels


def test_readings_of_a_long_recording_differ_where_it_is_in_doubt() -> None:
    silence = certain_scores([0] * 8 + [DELIMITER] + [0] * 8)
    doubtful = certain_scores([0, A, 0])
    doubtful[1, B] = doubtful[1, A]
    scores_fv = np.concatenate([doubtful, *([silence, certain_scores([A, 0, B])] * 50)])
    first, second = NBestDecoder(VOCABULARY, 2).decode(scores_fv)
    assert {text_of(first)[0], text_of(second)[0]} == {"A", "B"}
    assert text_of(first)[1:] == text_of(second)[1:] == " AB" * 50


@pytest.mark.parametrize("seed", range(5))
def test_no_text_is_given_twice(seed: int) -> None:
    texts = [text_of(one) for one in NBestDecoder(VOCABULARY, 20).decode(random_scores(60, seed))]
    assert len(texts) == len(set(texts))
