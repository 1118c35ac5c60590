"""Train the small bundled recogniser, models/wav2vec2_en_small, on a CPU.

python -m scripts.train_base_model prepare    # decode and synthesize once, into the work folder
python -m scripts.train_base_model train      # resumes from the work folder's last checkpoint
python -m scripts.train_base_model evaluate   # WER and CER of the published model
"""

import argparse
import random
import time
from pathlib import Path

import torch
from transformers import Wav2Vec2ForCTC

from scripts.base_model import cache, report, scoring, sources, training

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "wav2vec2_en_small"
HELD_OUT = {
    "tutorial": "the tutorial's test table: synthetic, 4 voices not trained on",
    "librispeech": "LibriSpeech, 4 speakers not trained on",
    "librispeech_data": "LibriSpeech, the 30 recordings of the real tutorial, the same speakers",
    "an4": "AN4, test",
    "fsdd": "Free Spoken Digit Dataset, test (its speakers also spoke for the training)",
}


def prepare(arguments: argparse.Namespace) -> None:
    """Fill the work folder's cache."""
    started = time.monotonic()
    utterances = sources.real_speech(arguments.shared, ROOT / "examples")
    utterances += sources.synthetic_speech(utterances, arguments.synthetic, arguments.seed)
    random.Random(arguments.seed).shuffle(utterances)  # noqa: S311 - an order, not a secret
    cache.build(utterances, arguments.work / "cache", workers=3)
    seconds: dict[tuple[str, str], float] = {}
    for entry in cache.Cache(arguments.work / "cache").entries:
        key = (entry.split, entry.source)
        seconds[key] = seconds.get(key, 0.0) + entry.seconds
    for (split, source), total in sorted(seconds.items()):
        print(f"{split:18} {source:18} {total / 3600:6.2f} h")
    print(f"took {time.monotonic() - started:.0f} s")


def train(arguments: argparse.Namespace) -> None:
    """Train for the given time and publish."""
    plan = training.Plan(
        work=arguments.work,
        model_folder=MODEL,
        budget_s=arguments.minutes * 60,
        peak_learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )
    training.train(plan)


def evaluate(arguments: argparse.Namespace) -> None:
    """Score the published model on every held-out recording, greedily decoded, and fill in both pages."""
    torch.set_num_threads(1)
    heard = cache.Cache(arguments.work / "cache")
    model = Wav2Vec2ForCTC.from_pretrained(MODEL, local_files_only=True)
    scores = {name: scoring.score(model, heard, heard.split(name)) for name in HELD_OUT}
    table = report.scores_table(scores, HELD_OUT)
    print("\n".join(table))
    report.fill(MODEL / "README.md", "scores", table)
    report.fill(ROOT / "docs" / "base-model.md", "log", report.log_table(arguments.work / "log.csv"))


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("prepare", "train", "evaluate"))
    parser.add_argument(
        "--shared", type=Path, default=ROOT.parent / "shared" / "data", help="recordings of people"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "base_model", help="cache, checkpoints")
    parser.add_argument("--synthetic", type=int, default=18_000, help="synthetic utterances to make")
    parser.add_argument("--minutes", type=float, default=65.0, help="time of training")
    parser.add_argument("--learning-rate", type=float, default=7e-4, help="its highest value")
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    {"prepare": prepare, "train": train, "evaluate": evaluate}[arguments.step](arguments)


if __name__ == "__main__":
    main()
