"""Batches of rows of like length, and a thread that reads their audio ahead of the steps."""

import queue
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.trainer.core.audio import AudioReader
from services.trainer.core.dataset import Example
from services.trainer.core.memory import passes_that_fit

_LENGTH_JITTER = 0.1
_READ_AHEAD = 2
_WAIT_S = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """Rows that go through the model together. Shapes: b rows, t samples.

    Attributes:
        examples: The rows.
        inputs_bt: Their samples, filled up with zeros at the end.
        lengths: Their true lengths.
    """

    examples: tuple[Example, ...]
    inputs_bt: Tensor
    lengths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The rows of one step, in as many passes as memory asks for."""

    passes: tuple[Pass, ...]
    rows: int
    audio_s: float


def plan_batches(examples: Sequence[Example], batch_size: int, seed: int) -> list[tuple[Example, ...]]:
    """Cut rows, sorted by about their length, into batches, and shuffle those.

    The jitter gives other batches in each epoch at the price of a little padding.
    """
    generator = random.Random(seed)  # noqa: S311 - an order, no secret
    jittered = [
        (example.samples * (1 + generator.uniform(-_LENGTH_JITTER, _LENGTH_JITTER)), example)
        for example in examples
    ]
    ordered = [example for _length, example in sorted(jittered, key=lambda pair: (pair[0], pair[1].number))]
    batches = [tuple(ordered[at : at + batch_size]) for at in range(0, len(ordered), batch_size)]
    generator.shuffle(batches)
    return batches


def plan_passes(examples: Sequence[Example], max_audio_s: float) -> list[tuple[Example, ...]]:
    """Cut a batch so that rows times longest row stays below a limit; one row alone may be above."""
    passes: list[list[Example]] = []
    for example in sorted(examples, key=lambda example: example.samples, reverse=True):
        current = passes[-1] if passes else []
        if current and current[0].duration_s * (len(current) + 1) <= max_audio_s:
            current.append(example)
        else:
            passes.append([example])
    return [tuple(rows) for rows in passes]


def smaller_passes(examples: Sequence[Example], max_audio_s: float) -> float | None:
    """The limit that cuts the largest pass of a batch in two; None where every pass is one row."""
    several = [rows for rows in plan_passes(examples, max_audio_s) if len(rows) > 1]
    if not several:
        return None
    return max(rows[0].duration_s * len(rows) for rows in several) / 2


def load_pass(examples: Sequence[Example], audio: AudioReader) -> Pass:
    """Read the rows' audio into one tensor."""
    waveforms = [audio.read(example.path) for example in examples]
    inputs = np.zeros((len(waveforms), max(map(len, waveforms))), dtype=np.float32)
    for row, waveform in zip(inputs, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return Pass(
        examples=tuple(examples),
        inputs_bt=torch.from_numpy(inputs),
        lengths=tuple(map(len, waveforms)),
    )


def load_batch(examples: Sequence[Example], audio: AudioReader, max_pass_audio_s: float) -> Batch:
    """Read the rows of one step."""
    passes = tuple(load_pass(rows, audio) for rows in plan_passes(examples, max_pass_audio_s))
    return Batch(passes=passes, rows=len(examples), audio_s=sum(example.duration_s for example in examples))


def read_ahead(
    batches: Sequence[Sequence[Example]], audio: AudioReader, max_pass_audio_s: float
) -> Iterator[Batch]:
    """Yield the batches while a thread reads the next ones; what it raises is raised here."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=_READ_AHEAD)
    closed = threading.Event()

    def read() -> None:
        try:
            for examples in batches:
                _put(ready, load_batch(examples, audio, max_pass_audio_s), closed)
                if closed.is_set():
                    return
            _put(ready, None, closed)
        except BaseException as failure:  # noqa: BLE001 - handed over, and raised by the reader
            _put(ready, failure, closed)

    thread = threading.Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                with passes_that_fit():
                    raise item
            yield item
    finally:
        closed.set()
        thread.join()


def _put(
    ready: "queue.Queue[Batch | BaseException | None]",
    item: Batch | BaseException | None,
    closed: threading.Event,
) -> None:
    while not closed.is_set():
        try:
            ready.put(item, timeout=_WAIT_S)
        except queue.Full:
            continue
        return
