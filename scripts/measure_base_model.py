"""Measure the bundled recogniser as its users meet it: SQL, through the whole system in one process.

python -m scripts.measure_base_model                  # print every figure
python -m scripts.measure_base_model --write          # and fill in the model card

The last step of scripts/train_base_model.py does the same.

Recordings of people come from --shared; what needs them is left out where they are not there.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import soundfile as sf

from scripts.base_model import report
from scripts.base_model.noise import RATE_HZ, artificial_noise
from thanosql import LocalServer, ThanoSQL

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "models" / "wav2vec2_en_small"
CARD = BUNDLED / "README.md"
MODEL = "tutorial_audio_recognition"
PARTS = ("scores", "tasks", "noise")  # places of the card, too
TUTORIAL = "tutorial_data/librispeech_data"
NOISE_CLIPS, NOISE_CLIP_S = 60, 10.0
NOISE_RECORDINGS = ("noise/traffic.wav", "formats/speechbrain__noise5.wav")


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Rows of a table: where the csv lies, which rows are meant, and what the card calls them."""

    title: str
    csv: str
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A model made for one small purpose: what it learns from, and what it is measured on."""

    title: str
    train: HeldOut
    test: HeldOut
    options: str = ""


LIBRISPEECH = HeldOut(
    title="LibriSpeech, 4 speakers not trained on", csv="librispeech_opus.csv", where="split = 'dev'"
)
LIBRISPEECH_TEST = HeldOut(
    title="LibriSpeech, the 30 test recordings of the real tutorial",
    csv="librispeech_data/librispeech_test.csv",
)
AN4 = HeldOut(title="AN4, test: 10 speakers not trained on", csv="an4.csv", where="split = 'test'")
FSDD = HeldOut(
    title="Free Spoken Digit Dataset, test (its 6 speakers were trained on)",
    csv="fsdd.csv",
    where="split = 'test'",
)
TUTORIAL_TEST = HeldOut(
    title="the tutorial's test table: synthetic, 4 voices not trained on",
    csv=f"{TUTORIAL}/librispeech_test.csv",
)
TASKS = (
    Task(
        title="digits (FSDD)",
        train=HeldOut(title="", csv="fsdd.csv", where="split = 'train'"),
        test=FSDD,
        options="epochs=3",
    ),
    Task(
        title="commands (AN4)",
        train=HeldOut(title="", csv="an4.csv", where="split = 'train'"),
        test=AN4,
        options="epochs=5",
    ),
    Task(
        title="read books (LibriSpeech)",
        train=HeldOut(title="", csv="librispeech_data/librispeech_train.csv"),
        test=LIBRISPEECH_TEST,
        options="epochs=3",
    ),
)
TUTORIAL_TASK = Task(
    title="the tutorial",
    train=HeldOut(title="", csv=f"{TUTORIAL}/librispeech_train.csv"),
    test=TUTORIAL_TEST,
    options="epochs=1, batch_size=4",
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A whole system that runs, with the model to measure behind Wav2Vec2En.

    Attributes:
        db: Its client.
        rows: Most rows of a table that are used; None for all.
    """

    db: ThanoSQL
    rows: int | None = None

    def select(self, held_out: HeldOut, table: str) -> str:
        """Return the query for the rows of a table that are meant."""
        where = f" WHERE {held_out.where}" if held_out.where else ""
        limit = f" LIMIT {self.rows}" if self.rows else ""
        return f"SELECT * FROM {table}{where}{limit}"


@contextmanager
def system(workspace: Path, model: Path, rows: int | None = None) -> Iterator[Bench]:
    """Start everything in one process, for paths below a folder."""
    environment = {"THANOSQL_STORAGE__BUNDLED_CHECKPOINT": str(model)}
    with LocalServer(workspace=workspace, environment=environment) as server, server.client() as db:
        yield Bench(db=db, rows=rows)


def score(bench: Bench, held_out: HeldOut, model: str = MODEL) -> list[str]:
    """Return a row of the card: recordings, minutes, WER, CER, audio seconds a second."""
    bench.db.execute(f"COPY measured OPTIONS(overwrite=True) FROM '{held_out.csv}'")
    result = bench.db.execute(f"EVALUATE USING {model} AS {bench.select(held_out, 'measured')}")
    scores = result.scores
    if scores is None:
        raise RuntimeError(f"no scores for {held_out.csv}: {result.message}")
    return [
        held_out.title,
        str(scores.rows),
        f"{scores.audio_s / 60:.1f}",
        f"{scores.wer:.1%}",
        f"{scores.cer:.1%}",
        f"{scores.audio_s / result.elapsed_s:.0f}",
    ]


def fine_tune(bench: Bench, task: Task, before: list[str]) -> list[str]:
    """Return a row of the card: error rates before (see `score`) and after BUILD, and how long that took."""
    bench.db.execute(f"COPY learned OPTIONS(overwrite=True) FROM '{task.train.csv}'")
    options = ", ".join(filter(None, (task.options, "overwrite=True")))
    learned = bench.select(task.train, "learned")
    built = bench.db.execute(f"BUILD MODEL tuned USING Wav2Vec2En OPTIONS ({options}) AS {learned}")
    after = score(bench, task.test, "tuned")
    return [task.title, task.options, before[3], after[3], before[4], after[4], f"{built.elapsed_s:.0f}"]


def words_in_noise(shared: Path, model: Path, clips: int) -> list[str]:
    """Return rows of the card: how many words the model hears where nobody speaks."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        _write_noise(workspace, clips)
        rows = [
            _words_heard(workspace, model, "artificial: hiss, rumble, bands, hum, clicks, gusts, silence")
        ]
    if all((shared / name).exists() for name in NOISE_RECORDINGS):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Path(folder)
            for number, name in enumerate(NOISE_RECORDINGS):
                samples, rate_hz = sf.read(shared / name)
                sf.write(workspace / f"{number}.wav", samples, rate_hz)
            rows.append(_words_heard(workspace, model, "recorded: a street, a room (neither was trained on)"))
    return report.table(("noise", "clips", "seconds", "words heard", "clips with words"), rows)


def _write_noise(workspace: Path, clips: int) -> None:
    random = np.random.default_rng(20)
    for number in range(clips):
        samples = artificial_noise(int(NOISE_CLIP_S * RATE_HZ), random)
        sf.write(workspace / f"{number:03d}.wav", np.clip(samples, -1, 1), RATE_HZ)


def _words_heard(workspace: Path, model: Path, title: str) -> list[str]:
    paths = sorted(path.name for path in workspace.glob("*.wav"))
    (workspace / "noise.csv").write_text("audio_path\n" + "\n".join(paths) + "\n")
    with system(workspace, model) as bench:
        bench.db.execute("COPY noise FROM 'noise.csv'")
        result = bench.db.execute(f"PREDICT USING {MODEL} AS SELECT * FROM noise")
    if result.row_error_count:
        raise RuntimeError(f"{result.row_error_count} clips could not be heard: {result.row_errors[0]}")
    heard = [str(row["predicted"] or "").split() for row in result.rows]
    seconds = sum(sf.info(workspace / name).duration for name in paths)
    return [title, str(len(paths)), f"{seconds:.0f}", str(sum(map(len, heard))), str(sum(map(bool, heard)))]


def _rows(
    bench: Bench, parts: frozenset[str], held_outs: tuple[HeldOut, ...], tasks: tuple[Task, ...]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return rows of the scores and of the tasks; what both ask of the model is measured once."""
    scored = cache(partial(score, bench))
    return (
        [scored(held_out) for held_out in held_outs] if "scores" in parts else [],
        [fine_tune(bench, task, scored(task.test)) for task in tasks] if "tasks" in parts else [],
    )


def measure(
    shared: Path, parts: frozenset[str], *, model: Path = BUNDLED, rows: int | None = None
) -> dict[str, list[str]]:
    """Return the tables of the card by name, each a list of lines.

    Args:
        shared: Recordings of people; what needs them is left out where they are not there.
        parts: Of `PARTS`.
        model: The model folder that is measured.
        rows: Most rows of a table, and most clips of noise; None for all.
    """
    scores: list[list[str]] = []
    tasks: list[list[str]] = []
    if shared.exists():
        with system(shared, model, rows) as bench:
            scores, tasks = _rows(bench, parts, (LIBRISPEECH, LIBRISPEECH_TEST, AN4, FSDD), TASKS)
    with system(ROOT / "examples", model, rows) as bench:
        tutorial = _rows(bench, parts, (TUTORIAL_TEST,), (TUTORIAL_TASK,))
        scores, tasks = scores + tutorial[0], tasks + tutorial[1]
    tables = {
        "scores": report.table(("recordings", "clips", "minutes", "WER", "CER", "audio s/s"), scores),
        "tasks": report.table(
            ("task", "options", "WER before", "after", "CER before", "after", "BUILD, s"), tasks
        ),
    }
    if "noise" in parts:
        tables["noise"] = words_in_noise(shared, model, min(rows or NOISE_CLIPS, NOISE_CLIPS))
    return {name: lines for name, lines in tables.items() if name in parts}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=CARD,
        metavar="CARD",
        help=f"fill in this page, by default {CARD.relative_to(ROOT)}",
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", type=Path, default=BUNDLED, help="the model folder to measure")
    parser.add_argument("--rows", type=int, help="most rows of a table; all by default")
    arguments = parser.parse_args()
    parts = frozenset(arguments.parts)
    measured = measure(arguments.shared, parts, model=arguments.model.resolve(), rows=arguments.rows)
    for name, lines in measured.items():
        print("\n".join(lines), flush=True)
        if arguments.write:
            report.fill(arguments.write, name, lines)


if __name__ == "__main__":
    main()
