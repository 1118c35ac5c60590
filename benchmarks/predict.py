"""PREDICT over the tutorial's recordings through the whole system, against Hugging Face's pipeline.

    python -m benchmarks.predict --json

Same checkpoint, same files, same machine, in turn. The ratio is the pipeline's time divided by ours.
Greedy decoding on both sides; the pipeline runs at batch size 1, its best on a CPU without padding.
"""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

import soundfile
import soxr
import torch
from transformers import (
    AutomaticSpeechRecognitionPipeline,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from benchmarks.reporting import arguments, in_turn, report
from thanosql import LocalServer, ThanoSQL

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
CHECKPOINT = ROOT / "models" / "wav2vec2_en_small"
TABLE = "tutorial_data/librispeech_data/librispeech_train.csv"
RATE_HZ = 16_000


def recordings() -> Sequence[Path]:
    """The files of the table."""
    with (EXAMPLES / TABLE).open(encoding="utf-8") as file:
        return [EXAMPLES / row["audio_path"] for row in csv.DictReader(file)]


def load_pipeline(paths: Sequence[Path]) -> "PipelineRun":
    """The peer, loaded once."""
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(CHECKPOINT)
    recogniser = AutomaticSpeechRecognitionPipeline(
        model=Wav2Vec2ForCTC.from_pretrained(CHECKPOINT, dtype=torch.float32),
        tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(CHECKPOINT),
        feature_extractor=extractor,
    )
    return PipelineRun(recogniser, paths)


class PipelineRun:
    """Decodes and transcribes every file, as a script around the pipeline would."""

    def __init__(self, recogniser: AutomaticSpeechRecognitionPipeline, paths: Sequence[Path]) -> None:
        self._recogniser = recogniser
        self._paths = paths

    def __call__(self) -> float:
        """Do it; answers its seconds."""
        begun_s = time.perf_counter()
        for path in self._paths:
            samples, rate_hz = soundfile.read(path, dtype="float32")
            self._recogniser(soxr.resample(samples, rate_hz, RATE_HZ))
        return time.perf_counter() - begun_s


def main() -> None:
    """Run from the command line."""
    options = arguments(__doc__ or "")
    paths = recordings()
    audio_s = sum(soundfile.info(path).duration for path in paths)
    peer = load_pipeline(paths)
    with LocalServer(workspace=EXAMPLES) as server, ThanoSQL(server.address, token=server.token) as db:
        db.execute(f"COPY calls FROM '{TABLE}'")

        def ours() -> float:
            begun_s = time.perf_counter()
            db.execute("PREDICT USING tutorial_audio_recognition AS SELECT * FROM calls")
            return time.perf_counter() - begun_s

        contest = in_turn("predict", "Hugging Face's pipeline", ours, peer, options.rounds)
    print(f"{audio_s / min(contest.ours_s):.0f} seconds of audio a second at best")
    report([contest], {}, options.json)


if __name__ == "__main__":
    main()
