"""The steps from recordings and synthesizers to a published, measured model; each can be interrupted."""

import os
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from scripts.base_model import (
    averaging,
    cache,
    packing,
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
from scripts.base_model.packing import Packing
from scripts.base_model.plan import Plan
from scripts.base_model.steps import Facts, Steps
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_ctc.families import CtcModel

# Less of a difference in character error rate is chance.
_AS_GOOD = 0.005
_JUDGED = "librispeech"


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
        device: Where the network computes while it learns.
        pause_s: Seconds after which the training pauses; None for never.
        packing: For the steps `pack` and `unpack`.
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
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    pause_s: float | None = None
    packing: Packing = field(default_factory=lambda: Packing(folder=Path("packed")))


class Paused(Exception):  # noqa: N818 - nothing went wrong
    """A step ended before its end, as it was asked to."""


def prepare(recipe: Recipe) -> None:
    """Decode, synthesize and look up words: fill the work folder's cache with what it lacks."""
    recordings = _share(sources.real_speech(recipe.shared, recipe.examples), recipe.course.share, recipe.seed)
    utterances = recordings + sources.synthetic_speech(recordings, recipe.course.synthetic, recipe.seed)
    random.Random(recipe.seed).shuffle(utterances)  # noqa: S311 - an order, not a secret
    cache.build(utterances, recipe.work / "cache", workers=1 + (os.cpu_count() or 1))
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
    """Train for the course's time, or until a pause is due; goes on from the last report.

    Raises:
        Paused: There is training left.
    """
    course = recipe.course
    finished = training.train(
        Plan(
            work=recipe.work,
            start=recipe.start,
            budget_s=course.minutes * 60,
            ranks=course.ranks,
            device=recipe.device,
            pause_s=recipe.pause_s,
            batch_s=course.batch_s,
            peak_learning_rate=course.peak_learning_rate,
            report_s=course.report_s,
            seed=recipe.seed,
            shape=course.shape,
            stages=course.stages,
        )
    )
    if not finished:
        raise Paused("the training pauses: the same command goes on with it")


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
    # Here, because no other step needs the services and their client: a machine with a GPU may lack them.
    from scripts import measure_base_model

    parts = measure_base_model.PARTS
    report.lay_out(recipe.card, parts)
    measured = measure_base_model.measure(
        recipe.shared, frozenset(parts), model=recipe.model, rows=recipe.course.rows
    )
    for name, lines in measured.items():
        print("\n".join(lines), flush=True)
        report.fill(recipe.card, name, lines)


def pack(recipe: Recipe) -> None:
    """Write the cache in parts that are small enough to carry to a machine with a GPU."""
    for folder in packing.pack(recipe.work, training.REPORTED, recipe.packing):
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder} {size / 1e6:.1f} MB")


def unpack(recipe: Recipe) -> None:
    """Make the cache of what was brought: instead of `prepare` and `cut`."""
    parts = sorted(recipe.packing.folder.glob("part_*"))
    utterances = packing.unpack(parts, recipe.work, workers=os.cpu_count() or 1)
    print(f"{utterances} utterances from {len(parts)} parts")


STEPS: dict[str, Callable[[Recipe], None]] = {
    "prepare": prepare,
    "cut": cut,
    "train": train,
    "publish": publish,
    "log": log,
    "measure": measure,
}
# Between two machines: the one has synthesizers, the other a GPU.
CARRYING: dict[str, Callable[[Recipe], None]] = {"pack": pack, "unpack": unpack}


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
        "train": {
            "minutes": course.minutes,
            "learning_rate": course.peak_learning_rate,
            "seed": recipe.seed,
            "start": str(recipe.start or ""),
        },
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
    entries = heard.split(_JUDGED)[: training.REPORTED[_JUDGED]]
    return lambda model: scoring.score(model, heard, entries).cer
