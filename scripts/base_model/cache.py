"""Every utterance decoded or spoken once: 16 kHz int16 samples in one file, texts in another."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scripts.base_model.noise import RATE_HZ
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

    @property
    def key(self) -> str:
        """What tells it from every other."""
        return _key(self.source, self.split, self.text, self.voice)


Recorded = tuple[Entry, npt.NDArray[np.int16]]


class Cache:
    """Reads what `build` wrote."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "entries.jsonl").read_text(encoding="utf-8").splitlines()
        self.entries = [Entry(**json.loads(line)) for line in lines]
        self._samples = np.memmap(folder / "samples.int16", dtype=np.int16, mode="r")

    def samples(self, entry: Entry) -> npt.NDArray[np.float32]:
        """Return an utterance's samples in -1..1."""
        return self.packed(entry.first, entry.count).astype(np.float32) / np.float32(32768)

    def packed(self, first: int, count: int) -> npt.NDArray[np.int16]:
        """Return `count` samples from a place in the file, as it holds them."""
        return self._samples[first : first + count]

    def split(self, name: str) -> list[Entry]:
        """Return the entries of `train`, of an evaluation, or of `noise`."""
        return [entry for entry in self.entries if entry.split == name]


def build(utterances: list[Utterance], folder: Path, workers: int) -> None:
    """Add to the cache what it does not hold yet; silent utterances and those over 17 s are left out.

    Args:
        utterances: What to hear.
        folder: Where the two files lie; made if missing.
        workers: How many synthesizers and decoders run at once.
    """
    known = {entry.key for entry in append(folder, iter(()))}
    missing = [one for one in utterances if _key(one.source, one.split, one.text, one.speaker) not in known]
    append(folder, _fitting(missing, workers))


def append(folder: Path, recorded: Iterator[Recorded]) -> list[Entry]:
    """Add utterances to the cache; a call that is interrupted loses at most what it was about to write.

    Args:
        folder: Where the two files lie; made if missing.
        recorded: Each with its samples; its `first` means nothing yet. What the cache holds is passed over.

    Returns:
        Every entry of the cache.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = _held(folder / "entries.jsonl")
    known = {entry.key for entry in held}
    first = max((entry.first + entry.count for entry in held), default=0)
    with (
        (folder / "samples.int16").open("ab") as samples,
        (folder / "entries.jsonl").open("a", encoding="utf-8") as entries,
    ):
        samples.truncate(2 * first)
        for entry, heard in recorded:
            if entry.key in known:
                continue
            samples.write(heard.tobytes())
            samples.flush()
            held.append(replace(entry, first=first))
            entries.write(json.dumps(asdict(held[-1])) + "\n")
            entries.flush()
            first += len(heard)
    return held


def _held(lines: Path) -> list[Entry]:
    """Read the entries, and take away a last one that was being written when its process ended."""
    lines.touch()
    text = lines.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_whole(lines, whole.encode())
    return [Entry(**json.loads(line)) for line in whole.splitlines()]


def _key(*parts: str) -> str:
    return "\t".join(parts)


def _fitting(utterances: list[Utterance], workers: int) -> Iterator[Recorded]:
    with ThreadPoolExecutor(workers) as pool:
        for utterance, heard in zip(utterances, pool.map(_hear, utterances), strict=True):
            longest_s = float("inf") if utterance.split == "noise" else LONGEST_S
            if 0 < len(heard) <= longest_s * RATE_HZ:
                yield _entry(utterance, len(heard)), heard


def _entry(utterance: Utterance, count: int) -> Entry:
    return Entry(
        first=0,
        count=count,
        text=utterance.text,
        source=utterance.source,
        split=utterance.split,
        voice=utterance.speaker,
    )


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
