"""What the predictor's benchmarks transcribe, and with which model."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from services.predictor.core.verification import Bounds
from thanosql_ctc.checkpoint import save_checkpoint
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "models" / "wav2vec2_en_small"
TABLE = "recordings.csv"
RATE_HZ = 16_000
_SOURCE = ROOT / "examples" / "tutorial_data" / "librispeech_data" / "audio"
_LETTERS = "'ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RANDOM_BOUNDS = Bounds(error=0.2, same_labels=0.5)
# Gamma with LibriSpeech's mean of 12.3 s and spread; none is longer than one window.
_SHAPE, _SCALE_S = 6.0, 2.05
_SHORTEST_S, _LONGEST_S = 1.5, 29.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """Recordings as files of a workspace, in the order of its table, and a checkpoint.

    `bounds` say how far an engine may be from torch where the usual ones say nothing: what random weights
    hear turns on a hair.
    """

    workspace: Path
    checkpoint: Path
    paths: list[Path]
    waveforms: list[Samples]
    bounds: Bounds | None

    @property
    def by_length(self) -> list[Samples]:
        """The waveforms, those of like length together: what shares a batch is padded little."""
        return sorted(self.waveforms, key=len)

    @property
    def audio_s(self) -> float:
        """Seconds of all recordings."""
        return sum(map(len, self.waveforms)) / RATE_HZ


def make_work(folder: Path, model: str, count: int) -> Work:
    """Write recordings of LibriSpeech's lengths, cut from the tutorial's, and take or make a checkpoint.

    Args:
        folder: Gets both.
        model: `bundled`, or `base` for wav2vec2-base's size with random weights.
        count: How many recordings.
    """
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    generator = np.random.default_rng(0)
    speech = _all_speech()
    lengths_s = np.clip(generator.gamma(_SHAPE, _SCALE_S, count), _SHORTEST_S, _LONGEST_S)
    waveforms = []
    for length_s in lengths_s:
        samples = round(length_s * RATE_HZ)
        begin = int(generator.integers(0, len(speech) - samples))
        waveforms.append(speech[begin : begin + samples])
    paths = [workspace / f"{number:04}.flac" for number in range(count)]
    for path, waveform in zip(paths, waveforms, strict=True):
        soundfile.write(path, waveform, RATE_HZ)
    with (workspace / TABLE).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["audio_path"], *([path.name] for path in paths)])
    bundled = model == "bundled"
    return Work(
        workspace=workspace,
        checkpoint=BUNDLED if bundled else _base_size(folder / "base"),
        paths=paths,
        waveforms=waveforms,
        bounds=None if bundled else RANDOM_BOUNDS,
    )


def _all_speech() -> Samples:
    parts = []
    for path in sorted(_SOURCE.iterdir()):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ))
    return np.concatenate(parts).astype(np.float32)


def _base_size(folder: Path) -> Path:
    torch.manual_seed(0)
    vocabulary = Vocabulary.of_characters(_LETTERS)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(vocabulary)))
    save_checkpoint(folder, model.train(mode=False), vocabulary)
    return folder
