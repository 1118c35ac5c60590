"""Train the small bundled recogniser, models/wav2vec2_en_small, on a CPU.

python -m scripts.train_base_model prepare    # decode and synthesize once, into the work folder
python -m scripts.train_base_model cut        # find the pauses in long recordings with the published model
python -m scripts.train_base_model train      # resumes from the work folder's last checkpoint
python -m scripts.train_base_model log        # put the log of the run into docs/base-model.md

scripts/measure_base_model.py measures what came out, through the whole system.
"""

import argparse
import random
import time
from pathlib import Path

import torch

from scripts.base_model import cache, phonemes, pieces, report, scoring, sources, training
from scripts.base_model.plan import Plan
from thanosql_ctc.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "wav2vec2_en_small"
# Two others, traffic.wav and speechbrain__noise5.wav, are kept for measuring.
NOISES = ("noise/cafe.wav", "noise/fridge.wav", "formats/speechbrain__noise4.wav")


def prepare(arguments: argparse.Namespace) -> None:
    """Fill the work folder's cache."""
    started = time.monotonic()
    utterances = sources.real_speech(arguments.shared, ROOT / "examples")
    utterances += sources.synthetic_speech(utterances, arguments.synthetic, arguments.seed)
    random.Random(arguments.seed).shuffle(utterances)  # noqa: S311 - an order, not a secret
    cache.build(utterances, arguments.work / "cache", workers=3)
    entries = cache.Cache(arguments.work / "cache").entries
    pronounced = phonemes.look_up(entry.text for entry in entries if entry.split == "train")
    phonemes.write(arguments.work / "phonemes.json", pronounced)
    seconds: dict[tuple[str, str], float] = {}
    for entry in entries:
        key = (entry.split, entry.source)
        seconds[key] = seconds.get(key, 0.0) + entry.seconds
    for (split, source), total in sorted(seconds.items()):
        print(f"{split:18} {source:18} {total / 3600:6.2f} h")
    print(f"took {time.monotonic() - started:.0f} s")


def cut(arguments: argparse.Namespace) -> None:
    """Find where readers pause, so that the training may cut long utterances there."""
    torch.set_num_threads(1)
    heard = cache.Cache(arguments.work / "cache")
    model = load_checkpoint(arguments.model).model
    entries = [entry for entry in heard.split("train") if entry.source == "librispeech"]
    found = pieces.find_cuts(heard, entries, lambda entry: scoring.log_probs(model, heard.samples(entry)))
    pieces.write_cuts(arguments.work / "cuts.json", found)
    cuts = sum(map(len, found.values()))
    print(f"{cuts} pauses in {len(entries)} recordings of {sum(one.seconds for one in entries) / 3600:.1f} h")


def train(arguments: argparse.Namespace) -> None:
    """Train for the given time and publish."""
    plan = Plan(
        work=arguments.work,
        model_folder=arguments.model,
        start=arguments.start,
        noises=tuple(arguments.shared / name for name in NOISES),
        budget_s=arguments.minutes * 60,
        peak_learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )
    training.train(plan)


def log(arguments: argparse.Namespace) -> None:
    """Put the log into the page about the model."""
    lines = report.log_table(arguments.work / "log.csv")
    report.fill(ROOT / "docs" / "base-model.md", "log", lines)
    print("\n".join(lines))


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("prepare", "cut", "train", "log"))
    parser.add_argument(
        "--shared", type=Path, default=ROOT.parent / "shared" / "data", help="recordings of people"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "base_model", help="cache, checkpoints")
    parser.add_argument("--model", type=Path, default=MODEL, help="the model folder that is read and written")
    parser.add_argument("--start", type=Path, help="begin with the weights of this model folder")
    parser.add_argument("--synthetic", type=int, default=36_000, help="synthetic utterances to make")
    parser.add_argument("--minutes", type=float, default=100.0, help="time of training")
    parser.add_argument("--learning-rate", type=float, default=9e-4, help="its highest value")
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    {"prepare": prepare, "cut": cut, "train": train, "log": log}[arguments.step](arguments)


if __name__ == "__main__":
    main()
