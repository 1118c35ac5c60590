"""Every utterance decoded or spoken once: 16 kHz int16 samples in one file, texts in another."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from scripts.base_model.sources import Utterance
from scripts.tutorial_data.engines import synthesize

RATE_HZ = 16_000
LONGEST_S = 17.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One utterance of the cache."""

    first: int
    count: int
    text: str
    source: str
    split: str

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.count / RATE_HZ


class Cache:
    """Reads what `build` wrote."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "entries.jsonl").read_text(encoding="utf-8").splitlines()
        self.entries = [Entry(**json.loads(line)) for line in lines]
        self._samples = np.memmap(folder / "samples.int16", dtype=np.int16, mode="r")

    def samples(self, entry: Entry) -> npt.NDArray[np.float32]:
        """Return an utterance's samples in -1..1."""
        heard = self._samples[entry.first : entry.first + entry.count]
        return heard.astype(np.float32) / np.float32(32768)

    def split(self, name: str) -> list[Entry]:
        """Return the entries of `train` or of an evaluation."""
        return [entry for entry in self.entries if entry.split == name]


def build(utterances: list[Utterance], folder: Path, workers: int) -> None:
    """Write the cache; utterances longer than 17 s are left out.

    Args:
        utterances: What to hear.
        folder: Where the two files go; made if missing.
        workers: How many synthesizers and decoders run at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    with (folder / "samples.int16").open("wb") as samples, (folder / "entries.tmp").open("w") as entries:
        for utterance, heard in zip(utterances, _heard(utterances, workers), strict=True):
            if len(heard) > LONGEST_S * RATE_HZ:
                continue
            samples.write(heard.tobytes())
            entry = Entry(
                first=first,
                count=len(heard),
                text=utterance.text,
                source=utterance.source,
                split=utterance.split,
            )
            entries.write(json.dumps(asdict(entry)) + "\n")
            first += len(heard)
    (folder / "entries.tmp").replace(folder / "entries.jsonl")


def _heard(utterances: list[Utterance], workers: int) -> Iterator[npt.NDArray[np.int16]]:
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_hear, utterances)


def _hear(utterance: Utterance) -> npt.NDArray[np.int16]:
    if utterance.voice is not None:
        samples, rate_hz = synthesize(utterance.spoken, utterance.voice)
    elif utterance.path is not None:
        read, rate_hz = sf.read(utterance.path, dtype="float32", always_2d=True)
        samples = read.mean(axis=1)
    else:
        raise ValueError(f"neither a voice nor a recording for {utterance.text!r}")
    heard = soxr.resample(samples, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else samples
    return (np.clip(heard, -1, 1) * 32767).astype(np.int16)
