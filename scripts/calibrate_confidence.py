"""Fit the numbers of services/predictor/core/decoding/confidence.py, and measure them on other recordings.

python -m scripts.calibrate_confidence

Recordings come from --shared (docs/base-model.md), those of people whom the bundled model has not heard.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np

from services.predictor.core.decoding.confidence import (
    CALIBRATION,
    Calibration,
    Features,
    frame_entropies,
    word_features,
)
from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.decoding.letters import find_words
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.torch_scorer import TorchScorer
from thanosql_audio.decoding import decode
from thanosql_ctc.checkpoint import Checkpoint, load_checkpoint
from thanosql_ctc.waveform import normalise_waveform, with_margins
from thanosql_runtime.errors import ThanosqlError

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "wav2vec2_en_small"
_LONGEST_S = 60.0
_BINS = 10
_STEPS = 50
_RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows of a table; `fitted` ones make the numbers, the others measure them."""

    title: str
    table: str
    split: str = ""
    fitted: bool = False


SOURCES = (
    Source(title="LibriSpeech dev", table="librispeech_opus.csv", split="dev", fitted=True),
    Source(title="AN4 test", table="an4.csv", split="test", fitted=True),
    Source(title="LibriSpeech, 60 other recordings", table="librispeech_data/librispeech_train.csv"),
    Source(title="LibriSpeech, 30 other recordings", table="librispeech_data/librispeech_test.csv"),
    Source(title="Digits", table="fsdd.csv", split="test"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """What was heard in some recordings: the features of each word, and whether it was right."""

    features: Features
    right: Features


class Hearing:
    """Hears recordings as the predictor does, with the bundled model.

    Args:
        checkpoint: The model.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._vocabulary = checkpoint.vocabulary
        self._rate_hz = checkpoint.sample_rate_hz
        self._scorer = TorchScorer(TorchEngine(checkpoint.model, EngineOptions()))
        self._decoder = GreedyDecoder(checkpoint.vocabulary.blank_id)

    def words(self, rows: Iterator[tuple[Path, str]]) -> Words:
        """Hear recordings whose texts are known."""
        pairs = [self._words(path, text) for path, text in rows]
        features, right = zip(*pairs, strict=True)
        return Words(features=np.concatenate(features), right=np.concatenate(right))

    def _words(self, path: Path, text: str) -> tuple[Features, Features]:
        with path.open("rb") as source:
            audio = decode(source, sample_rate_hz=self._rate_hz, max_duration_s=_LONGEST_S)
        heard = normalise_waveform(with_margins(audio.samples, self._rate_hz))
        (log_probs_fv,) = self._scorer.finish(self._scorer.run(self._scorer.prepare([heard])))
        if isinstance(log_probs_fv, ThanosqlError):
            raise log_probs_fv
        (hypothesis,) = self._decoder.decode(log_probs_fv)
        words = find_words(hypothesis.labels, self._vocabulary)
        features = word_features(words, frame_entropies(log_probs_fv))
        return features, _right(self._vocabulary.normalise(text), [word.text for word in words])


def _right(reference: str, heard: Sequence[str]) -> Features:
    """1 for each word that stands in the reference at its place, 0 for each other one."""
    right = np.zeros(len(heard))
    if heard:
        (chunks,) = jiwer.process_words(reference, " ".join(heard)).alignments
        for chunk in chunks:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = 1.0
    return right


def _together(parts: Sequence[Words]) -> Words:
    return Words(
        features=np.concatenate([part.features for part in parts]),
        right=np.concatenate([part.right for part in parts]),
    )


def fit(words: Words) -> Calibration:
    """Fit a logistic regression by Newton's method."""
    inputs = np.c_[np.ones(len(words.right)), words.features]
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (expected - words.right) + _RIDGE * weights
        curvature = (inputs.T * (expected * (1 - expected))) @ inputs + _RIDGE * np.eye(len(weights))
        weights -= np.linalg.solve(curvature, slope)
    bias, entropy, letters, around = (round(float(weight), 3) for weight in weights)
    return Calibration(bias=bias, weights=(entropy, letters, around))


def calibration_error(confidences: Features, right: Features) -> float:
    """The expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    return sum(
        abs(float(confidences[bins == one].mean() - right[bins == one].mean())) * float((bins == one).mean())
        for one in set(bins.tolist())
    )


def ranking(confidences: Features, right: Features) -> float:
    """How often a right word is surer than a wrong one (area under the curve)."""
    ranks = np.argsort(np.argsort(confidences))
    hits, misses = right.sum(), (1 - right).sum()
    return float((ranks[right == 1].sum() - hits * (hits - 1) / 2) / (hits * misses))


def _rows(shared: Path, source: Source) -> Iterator[tuple[Path, str]]:
    with (shared / source.table).open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if not source.split or row["split"] == source.split:
                yield shared / row["audio_path"], row["text"]


def _print(title: str, words: Words, calibration: Calibration) -> None:
    before = np.exp(words.features[:, 1])
    sums = calibration.bias + words.features @ np.array(calibration.weights)
    after = 1 / (1 + np.exp(-sums))
    figures = [
        f"{calibration_error(confidences, words.right):.3f} {ranking(confidences, words.right):.2f}"
        for confidences in (before, after)
    ]
    print(f"| {title} | {len(words.right)} | {words.right.mean():.0%} | {' | '.join(figures)} |")


def main() -> None:
    """Fit, and print what to write down."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data")
    shared: Path = arguments.parse_args().shared
    hearing = Hearing(load_checkpoint(MODEL))
    heard = {source: hearing.words(_rows(shared, source)) for source in SOURCES}
    fitted = [words for source, words in heard.items() if source.fitted]
    calibration = fit(_together(fitted))
    print(f"fitted: {calibration}\nin use: {CALIBRATION}")
    print("| words | heard | right | mean letter: error, ranking | calibrated: error, ranking |")
    for source, words in heard.items():
        _print(f"{source.title}{' (fitted on)' if source.fitted else ''}", words, calibration)
    others = [words for source, words in heard.items() if not source.fitted]
    _print("all that was not fitted on", _together(others), calibration)


if __name__ == "__main__":
    main()
