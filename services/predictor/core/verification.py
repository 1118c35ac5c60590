"""Whether an engine may serve in place of torch: both hear the same recordings, and must hear the same.

The recordings are speech of three seconds from the tutorial, and noise; alone and padded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from thanosql_ctc.batch_invariant import batch_logits, receptive_field
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.waveform import Samples, normalise_waveform

_SPEECH = Path(__file__).with_name("verification.flac")
_NOISE_SAMPLES = (21_000, 8_003)
_SEED = 0

Logits = npt.NDArray[np.float32]
Infer = Callable[[Sequence[Samples]], Sequence[Logits]]
"""Gives the logits [frames, labels] of each recording of one batch."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What may differ.

    Attributes:
        error: Length of the difference of the logits, as a part of the length of torch's.
        same_labels: Part of the frames of all recordings whose best label is the same; 1 asks for the same
            text of each.
    """

    error: float
    same_labels: float


BOUNDS = {
    "float32": Bounds(error=1e-3, same_labels=1.0),
    # Eight bits of each number: where two labels are near each other, either may win.
    "bfloat16": Bounds(error=0.1, same_labels=0.9),
    # The bundled model has 0.990, and 0.03 points of word error rate more; with its convolutions rounded too,
    # 0.974 and 0.7 points.
    "int8": Bounds(error=0.15, same_labels=0.98),
}


class VerificationError(Exception):
    """An engine hears something else than torch."""


def verify(
    checkpoint: Checkpoint, infer: Infer, bounds: Bounds, recordings: Sequence[Samples] | None = None
) -> None:
    """Compare an engine with torch in float32.

    Args:
        checkpoint: The model.
        infer: The engine.
        bounds: What may differ.
        recordings: Waveforms as the model takes them; None for speech and noise of our own.

    Raises:
        VerificationError: It differs by more than the bounds.
    """
    if recordings is None:
        recordings = _recordings(checkpoint)
    expected = [logits.numpy() for logits in batch_logits(checkpoint.model, recordings)]
    # As one padded batch, and each of them alone.
    for actual in (infer(recordings), [infer([one])[0] for one in recordings]):
        for ours, torchs in zip(actual, expected, strict=True):
            _compare_numbers(ours, torchs, bounds)
        _compare_labels(checkpoint, actual, expected, bounds)


def _recordings(checkpoint: Checkpoint) -> list[Samples]:
    generator = np.random.default_rng(_SEED)
    speech, _ = soundfile.read(_SPEECH, dtype="float32")
    lengths = (*_NOISE_SAMPLES, receptive_field(checkpoint.config))
    sounds = [speech, *(generator.standard_normal(length).astype(np.float32) for length in lengths)]
    return [normalise_waveform(sound) for sound in sounds] if checkpoint.do_normalize else sounds


def _compare_numbers(ours: Logits, torchs: Logits, bounds: Bounds) -> None:
    if ours.shape != torchs.shape:
        raise VerificationError(f"its logits have shape {ours.shape}, torch's {torchs.shape}")
    error = float(np.linalg.norm(ours - torchs) / (np.linalg.norm(torchs) or 1.0))
    if not error <= bounds.error:  # true also for what is no number
        raise VerificationError(f"its logits differ from torch's by {error:.2g}; {bounds.error:.2g} may be")


def _compare_labels(
    checkpoint: Checkpoint, ours: Sequence[Logits], torchs: Sequence[Logits], bounds: Bounds
) -> None:
    """Compare what is heard; where labels may differ, in all recordings together: one has a single frame."""
    pairs = [(our.argmax(axis=-1), their.argmax(axis=-1)) for our, their in zip(ours, torchs, strict=True)]
    same = float(np.concatenate([labels == theirs for labels, theirs in pairs]).mean())
    if bounds.same_labels < 1:
        if same < bounds.same_labels:
            raise VerificationError(f"its labels are torch's in {same:.0%} of the frames")
    elif any(_text(checkpoint, labels) != _text(checkpoint, theirs) for labels, theirs in pairs):
        raise VerificationError("it writes another text than torch")


def _text(checkpoint: Checkpoint, labels: npt.NDArray[np.int64]) -> str:
    return greedy_decode(labels.tolist(), checkpoint.vocabulary)
