"""Make the small bundled recogniser, models/wav2vec2_en_small, from recordings and synthesizers.

python -m scripts.train_base_model            # every step that is not done yet
python -m scripts.train_base_model --small    # a rehearsal in a folder of its own: about ten minutes
python -m scripts.train_base_model prepare    # one step alone, whether it is done or not

A call that was interrupted, also by kill -9, is made again: it goes on where the last one was.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from scripts.base_model import courses, devices, recipe
from scripts.base_model.packing import Packing
from scripts.base_model.recipe import Recipe
from scripts.base_model.steps import alone

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "wav2vec2_en_small"


def course_of(arguments: argparse.Namespace, device: torch.device) -> courses.Course:
    """Return the course with what was asked for otherwise."""
    course = courses.TWO_CORES if device.type == "cpu" else courses.ONE_GPU
    course = courses.small(course) if arguments.small else course
    asked = {
        "minutes": arguments.minutes,
        "peak_learning_rate": arguments.learning_rate,
        "synthetic": arguments.synthetic,
    }
    return replace(course, **{name: value for name, value in asked.items() if value is not None})


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe; a small one leaves everything outside its work folder as it is."""
    work = (
        arguments.work or ROOT / "build" / ("base_model_small" if arguments.small else "base_model")
    ).resolve()
    device = devices.pick(arguments.device)
    scratch = arguments.small or arguments.model is not None
    model = (arguments.model or (work / "model" if arguments.small else MODEL)).resolve()
    return Recipe(
        shared=arguments.shared.resolve(),
        examples=ROOT / "examples",
        work=work,
        model=model,
        aligner=arguments.aligner.resolve(),
        page=work / "log.md" if scratch else ROOT / "docs" / "base-model.md",
        card=work / "card.md" if scratch else MODEL / "README.md",
        course=course_of(arguments, device),
        seed=arguments.seed,
        start=arguments.start and arguments.start.resolve(),
        replace=arguments.replace,
        device=device,
        pause_s=arguments.pause_after and arguments.pause_after * 60,
        packing=Packing(
            folder=(arguments.packed or work / "packed").resolve(),
            part_mb=arguments.part_mb,
            kbps=arguments.kbps,
            workers=os.cpu_count() or 1,
        ),
    )


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or the words given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", nargs="?", choices=(*recipe.STEPS, *recipe.CARRYING), help="only this one")
    parser.add_argument("--small", action="store_true", help="little of everything, in a folder of its own")
    parser.add_argument(
        "--shared", type=Path, default=ROOT.parent / "shared" / "data", help="recordings of people"
    )
    parser.add_argument("--work", type=Path, help="cache, checkpoint, log; build/base_model by default")
    parser.add_argument("--model", type=Path, help="publish here, and leave the project's pages as they are")
    parser.add_argument("--aligner", type=Path, default=MODEL, help="the model that finds pauses")
    parser.add_argument("--start", type=Path, help="begin with the weights of this model folder")
    parser.add_argument("--replace", action="store_true", help="publish over a model that reads better")
    parser.add_argument("--synthetic", type=int, help="synthetic utterances to make")
    parser.add_argument("--minutes", type=float, help="time of training")
    parser.add_argument("--learning-rate", type=float, help="its highest value")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where it learns")
    parser.add_argument("--pause-after", type=float, metavar="MINUTES", help="save and end the training then")
    parser.add_argument("--packed", type=Path, help="folder of the parts for pack and unpack")
    parser.add_argument("--part-mb", type=float, default=Packing.part_mb, help="megabytes of a part at most")
    parser.add_argument("--kbps", type=float, default=Packing.kbps, help="kilobits for a second of speech")
    return parser.parse_args(words)


def main() -> None:
    """Do one step, or all that are not done."""
    arguments = parse()
    wanted = recipe_of(arguments)
    with alone(wanted.work):
        try:
            if arguments.step:
                (recipe.STEPS | recipe.CARRYING)[arguments.step](wanted)
            else:
                recipe.follow(wanted)
        except recipe.Paused as paused:
            print(paused)


if __name__ == "__main__":
    main()
