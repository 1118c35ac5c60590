"""Which rows can be learned from: every row is looked at before the first step, none fails the job alone."""

import random
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from services.trainer.core.audio import AudioReader
from services.trainer.core.types import MOST_LEFT_OUT, LeftOutRow
from thanosql_ctc.batch_invariant import output_frames
from thanosql_ctc.families import CtcConfig
from thanosql_ctc.greedy import frames_needed
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError, error

FEWEST_ROWS_TO_HOLD_OUT = 8
MOST_HELD_OUT = 64
HELD_OUT_SHARE = 0.1
MOST_HELD_OUT_S = 300.0
_ROWS_AT_ONCE = 256

# What is wrong with one row; anything else is wrong with the job.
_OF_A_ROW = frozenset(
    {
        Reason.AUDIO_NOT_FOUND,
        Reason.AUDIO_UNREADABLE,
        Reason.AUDIO_EMPTY,
        Reason.AUDIO_TOO_SHORT,
        Reason.AUDIO_TOO_LONG,
        Reason.TEXT_EMPTY,
        Reason.TEXT_OUTSIDE_VOCABULARY,
        Reason.PATH_OUTSIDE_WORKSPACE,
        Reason.INVALID_ARGUMENT,
    }
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row as the query gave it."""

    number: int
    path: str | None
    text: str | None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row that can be learned from."""

    number: int
    path: str
    text: str
    labels: tuple[int, ...]
    samples: int
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is learned from, what is measured on, and what is neither."""

    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    left_out: tuple[LeftOutRow, ...]
    reasons: Mapping[str, int]

    @property
    def left_out_count(self) -> int:
        """Rows left out in all; `left_out` names the first of them."""
        return sum(self.reasons.values())


def read_rows(path: Path, audio_col: str, text_col: str) -> Iterator[Row]:
    """Read the rows that the parent kept, a batch at a time."""
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        number = 0
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            columns = (batch.column(audio_col).to_pylist(), batch.column(text_col).to_pylist())
            for audio_path, text in zip(*columns, strict=True):
                yield Row(number=number, path=audio_path, text=text)
                number += 1


class RowChecker:
    """Looks at one row as the model would.

    Args:
        config: The model's.
        vocabulary: What its labels write.
        audio: Reads the recordings.
        sample_rate_hz: The model's.
    """

    def __init__(
        self, config: CtcConfig, vocabulary: Vocabulary, audio: AudioReader, sample_rate_hz: int
    ) -> None:
        self._config = config
        self._vocabulary = vocabulary
        self._audio = audio
        self._sample_rate_hz = sample_rate_hz

    def check(self, row: Row) -> Example | LeftOutRow:
        """Turn the row into an example, or say why it is none."""
        try:
            return self._example(row)
        except ThanosqlError as failure:
            if failure.reason not in _OF_A_ROW:
                raise
            return LeftOutRow(
                row=row.number, subject=row.path or "", reason=failure.reason.value, message=failure.message
            )

    def _example(self, row: Row) -> Example:
        text = spoken_text(row.text or "", self._vocabulary)
        if not text:
            raise error(Reason.TEXT_EMPTY, "the row has no text to learn from")
        if not row.path:
            raise error(Reason.AUDIO_NOT_FOUND, "the row names no recording")
        labels = self._vocabulary.encode(text)
        samples = len(self._audio.read(row.path))
        self._check_length(samples, labels)
        return Example(
            number=row.number,
            path=row.path,
            text=text,
            labels=tuple(labels),
            samples=samples,
            duration_s=samples / self._sample_rate_hz,
        )

    def _check_length(self, samples: int, labels: Sequence[int]) -> None:
        """CTC needs a frame for each label, and a blank between two that are equal."""
        frames = output_frames(self._config, samples)
        needed = frames_needed(labels)
        if frames < needed:
            seconds = samples / self._sample_rate_hz
            raise error(
                Reason.AUDIO_TOO_SHORT,
                f"the recording of {seconds:.3g} s gives {frames} frames, its text needs {needed}",
            )


def spoken_text(text: str, vocabulary: Vocabulary) -> str:
    """Write a text as the vocabulary does; punctuation that it lacks is not spoken and becomes a space."""
    unknown = vocabulary.unknown_characters(text)
    silent = {ord(character): " " for character in unknown if unicodedata.category(character)[0] == "P"}
    return vocabulary.normalise(vocabulary.normalise(text).translate(silent))


def prepare(rows: Iterator[Row], checker: RowChecker, *, seed: int, threads: int) -> Dataset:
    """Check every row and hold some out; what is left to learn from may be nothing."""
    examples: list[Example] = []
    left_out: list[LeftOutRow] = []
    reasons: Counter[str] = Counter()
    with ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="rows") as pool:
        while window := list(islice(rows, _ROWS_AT_ONCE)):
            for checked in pool.map(checker.check, window):
                if isinstance(checked, Example):
                    examples.append(checked)
                    continue
                reasons[checked.reason] += 1
                if len(left_out) < MOST_LEFT_OUT:
                    left_out.append(checked)
    training, held_out = split(examples, seed)
    return Dataset(training=training, held_out=held_out, left_out=tuple(left_out), reasons=reasons)


def split(examples: Sequence[Example], seed: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Hold a tenth out, the same for the same seed and rows; none of fewer than eight."""
    if len(examples) < FEWEST_ROWS_TO_HOLD_OUT:
        return tuple(examples), ()
    count = min(MOST_HELD_OUT, max(1, round(len(examples) * HELD_OUT_SHARE)))
    chosen: list[Example] = []
    seconds = 0.0
    for example in random.Random(seed).sample(examples, count):  # noqa: S311 - a split, no secret
        seconds += example.duration_s
        if chosen and seconds > MOST_HELD_OUT_S:
            break
        chosen.append(example)
    numbers = {example.number for example in chosen}
    training = tuple(example for example in examples if example.number not in numbers)
    return training, tuple(chosen)


def no_usable_rows(dataset: Dataset) -> ThanosqlError:
    """Build the error for rows of which none can be used, with the counts by reason."""
    if not dataset.left_out:
        return error(Reason.NO_USABLE_ROWS, "the query gave no rows to learn from")
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(dataset.reasons.items()))
    first = dataset.left_out[0]
    example = f"row {first.row} ({first.subject!r}): {first.message}"
    metadata = {reason: str(count) for reason, count in dataset.reasons.items()}
    message = f"none of {dataset.left_out_count} rows can be used: {counts}; {example}"
    return error(Reason.NO_USABLE_ROWS, message, **metadata)
