"""Every utterance decoded or spoken once: 16 kHz int16 samples in one file, texts in another."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scripts.base_model.augment import RATE_HZ
from scripts.base_model.sources import Utterance
from scripts.tutorial_data.engines import speak
from thanosql_audio.decoding import decode
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.whole_files import write_whole

LONGEST_S = 17.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One utterance of the cache."""

    first: int
    count: int
    text: str
    source: str
    split: str
    voice: str = ""

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
        return self.part(entry.first, entry.count)

    def part(self, first: int, count: int) -> npt.NDArray[np.float32]:
        """Return `count` samples from a place in the file."""
        return self._samples[first : first + count].astype(np.float32) / np.float32(32768)

    def split(self, name: str) -> list[Entry]:
        """Return the entries of `train` or of an evaluation."""
        return [entry for entry in self.entries if entry.split == name]


def build(utterances: list[Utterance], folder: Path, workers: int) -> None:
    """Add to the cache what it does not hold yet; silent utterances and those over 17 s are left out.

    A call that is interrupted loses at most what it was about to write.

    Args:
        utterances: What to hear.
        folder: Where the two files lie; made if missing.
        workers: How many synthesizers and decoders run at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / "entries.jsonl"
    held = _held(lines)
    known = {_key(entry.source, entry.split, entry.text, entry.voice) for entry in held}
    first = max((entry.first + entry.count for entry in held), default=0)
    missing = [one for one in utterances if _key(one.source, one.split, one.text, one.speaker) not in known]
    with (folder / "samples.int16").open("ab") as samples, lines.open("a", encoding="utf-8") as entries:
        samples.truncate(2 * first)
        for utterance, heard in zip(missing, _heard(missing, workers), strict=True):
            if not 0 < len(heard) <= LONGEST_S * RATE_HZ:
                continue
            samples.write(heard.tobytes())
            samples.flush()
            entries.write(json.dumps(asdict(_entry(utterance, first, len(heard)))) + "\n")
            entries.flush()
            first += len(heard)


def _held(lines: Path) -> list[Entry]:
    """Read the entries, and take away a last one that was being written when its process ended."""
    lines.touch()
    text = lines.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_whole(lines, whole.encode())
    return [Entry(**json.loads(line)) for line in whole.splitlines()]


def _entry(utterance: Utterance, first: int, count: int) -> Entry:
    return Entry(
        first=first,
        count=count,
        text=utterance.text,
        source=utterance.source,
        split=utterance.split,
        voice=utterance.speaker,
    )


def _key(*parts: str) -> str:
    return "\t".join(parts)


def _heard(utterances: list[Utterance], workers: int) -> Iterator[npt.NDArray[np.int16]]:
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_hear, utterances)


def _hear(utterance: Utterance) -> npt.NDArray[np.int16]:
    if utterance.voice is not None:
        recorded = speak(utterance.spoken, utterance.voice)
    elif utterance.path is not None:
        recorded = utterance.path.read_bytes()
    else:
        raise ValueError(f"neither a voice nor a recording for {utterance.text!r}")
    try:
        heard = decode(recorded, sample_rate_hz=RATE_HZ).samples
    except ThanosqlError as failure:
        if failure.reason is not Reason.AUDIO_EMPTY:
            raise
        return np.zeros(0, np.int16)  # some synthesizers have nothing to say about some words
    return (np.clip(heard, -1, 1) * 32767).astype(np.int16)
