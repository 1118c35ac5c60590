"""The steps from recordings and synthesizers to a published, measured model; each can be interrupted."""

import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from scripts.base_model import (
    averaging,
    cache,
    phonemes,
    pieces,
    publishing,
    report,
    scoring,
    sources,
    training,
)
from scripts.base_model.courses import Course
from scripts.base_model.journal import snapshots
from scripts.base_model.plan import Plan
from scripts.base_model.steps import Facts, Steps
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_ctc.families import CtcModel

# Two others, traffic.wav and speechbrain__noise5.wav, are kept for measuring.
_NOISES = ("noise/cafe.wav", "noise/fridge.wav", "formats/speechbrain__noise4.wav")
# Less of a difference in character error rate is chance.
_AS_GOOD = 0.005
_JUDGED = ("librispeech", 40)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Where everything lies, and how much of it is wanted.

    Attributes:
        shared: Recordings of people.
        examples: The tutorial, whose test table is heard in the reports.
        work: The folder of the cache, the checkpoint and the log.
        model: The folder that is published and measured.
        aligner: A model folder that finds the pauses in long recordings.
        page: The page that the log is put into.
        card: The page that the figures are put into.
        course: How long and how much.
        seed: Of everything that is drawn.
        start: A model folder to begin with; none begins with random weights.
        replace: Publish even where a model stands that reads better.
    """

    shared: Path
    examples: Path
    work: Path
    model: Path
    aligner: Path
    page: Path
    card: Path
    course: Course
    seed: int = 2
    start: Path | None = None
    replace: bool = False


def prepare(recipe: Recipe) -> None:
    """Decode, synthesize and look up words: fill the work folder's cache with what it lacks."""
    recordings = _share(sources.real_speech(recipe.shared, recipe.examples), recipe.course.share, recipe.seed)
    utterances = recordings + sources.synthetic_speech(recordings, recipe.course.synthetic, recipe.seed)
    random.Random(recipe.seed).shuffle(utterances)  # noqa: S311 - an order, not a secret
    cache.build(utterances, recipe.work / "cache", workers=3)
    entries = cache.Cache(recipe.work / "cache").entries
    pronounced = phonemes.look_up(entry.text for entry in entries if entry.split == "train")
    phonemes.write(recipe.work / "phonemes.json", pronounced)
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for entry in entries:
        seconds[entry.split, entry.source] += entry.seconds
    for (split, source), total in sorted(seconds.items()):
        print(f"{split:18} {source:18} {total / 3600:6.2f} h")


def cut(recipe: Recipe) -> None:
    """Find where readers pause, so that the training may cut long utterances there."""
    torch.set_num_threads(1)
    heard = cache.Cache(recipe.work / "cache")
    model = load_checkpoint(recipe.aligner).model
    entries = [entry for entry in heard.split("train") if entry.source == "librispeech"]
    found = pieces.find_cuts(heard, entries, lambda entry: scoring.log_probs(model, heard.samples(entry)))
    pieces.write_cuts(recipe.work / "cuts.json", found)
    cuts, hours = sum(map(len, found.values())), sum(one.seconds for one in entries) / 3600
    print(f"{cuts} pauses in {len(entries)} recordings of {hours:.1f} h")


def train(recipe: Recipe) -> None:
    """Train for the course's time; goes on from the last report."""
    course = recipe.course
    training.train(
        Plan(
            work=recipe.work,
            start=recipe.start,
            noises=tuple(recipe.shared / name for name in _NOISES),
            budget_s=course.minutes * 60,
            ranks=course.ranks,
            batch_s=course.batch_s,
            peak_learning_rate=course.peak_learning_rate,
            report_s=course.report_s,
            seed=recipe.seed,
            shape=course.shape,
            stages=course.stages,
        )
    )


def publish(recipe: Recipe) -> None:
    """Publish the best of the last snapshots and their means.

    Raises:
        RuntimeError: There is no snapshot, or a model stands there that reads clearly better.
    """
    found = list(averaging.candidates(snapshots(recipe.work), _judge(recipe)))
    if not found:
        raise RuntimeError(f"no model was trained in {recipe.work}: run the step `train` first")
    for one in found:
        print(f"mean of the last {one.snapshots}: CER {one.cer:.1%}")
    best = min(found, key=lambda one: one.cer)
    if (recipe.model / "config.json").exists() and not recipe.replace:
        standing = _judge(recipe)(load_checkpoint(recipe.model).model)
        if standing < best.cer - _AS_GOOD:
            raise RuntimeError(
                f"the model in {recipe.model} reads better (CER {standing:.1%}, this one {best.cer:.1%}): "
                "publish elsewhere with --model, or over it with --replace"
            )
    publishing.publish(best.model, recipe.model)
    print(f"published the mean of the last {best.snapshots} in {recipe.model}")


def log(recipe: Recipe) -> None:
    """Put the log of loss and error rates into its page."""
    report.lay_out(recipe.page, ("log",))
    lines = report.log_table(recipe.work / "log.csv")
    report.fill(recipe.page, "log", lines)
    print("\n".join(lines))


def measure(recipe: Recipe) -> None:
    """Measure the published model through the whole system, and put the figures into its card."""
    report.lay_out(recipe.card, ("scores", "tasks", "noise"))
    options: dict[str, Path | int] = {
        "--shared": recipe.shared,
        "--model": recipe.model,
        "--write": recipe.card,
    }
    if recipe.course.rows is not None:
        options["--rows"] = recipe.course.rows
    given = [str(part) for option in options.items() for part in option]
    # A program of its own: what it needs, the services and their client, no other step does.
    subprocess.run([sys.executable, "-m", "scripts.measure_base_model", *given], check=True)


STEPS: dict[str, Callable[[Recipe], None]] = {
    "prepare": prepare,
    "cut": cut,
    "train": train,
    "publish": publish,
    "log": log,
    "measure": measure,
}


def follow(recipe: Recipe) -> None:
    """Do every step that is not done yet."""
    steps = Steps(recipe.work)
    for name, step in STEPS.items():
        steps.once(name, _facts(recipe, name), lambda step=step: step(recipe))  # type: ignore[misc]


def _facts(recipe: Recipe, name: str) -> Facts:
    """What the result of a step depends on besides the steps before it."""
    course = recipe.course
    facts: dict[str, Facts] = {
        "prepare": {"synthetic": course.synthetic, "share": course.share, "seed": recipe.seed},
        "cut": {"aligner": str(recipe.aligner)},
        "train": {"minutes": course.minutes, "learning_rate": course.peak_learning_rate, "seed": recipe.seed},
        "publish": {"model": str(recipe.model)},
        "log": {"page": str(recipe.page)},
        "measure": {"card": str(recipe.card), "rows": course.rows or 0},
    }
    return facts[name]


def _share(recordings: list[sources.Utterance], share: float, seed: int) -> list[sources.Utterance]:
    """Keep every evaluation, and a share of what trains."""
    drawn = random.Random(seed)  # noqa: S311 - a choice of recordings, not a secret
    return [one for one in recordings if one.split != "train" or share >= 1 or drawn.random() < share]


def _judge(recipe: Recipe) -> Callable[[CtcModel], float]:
    torch.set_num_threads(1)
    heard = cache.Cache(recipe.work / "cache")
    name, count = _JUDGED
    return lambda model: scoring.score(model, heard, heard.split(name)[:count]).cer
