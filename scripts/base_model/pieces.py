"""Parts of recordings: where a reader pauses, a long utterance may be cut in two."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scripts.base_model.align import best_path
from scripts.base_model.cache import Cache, Entry
from scripts.base_model.letters import encode
from scripts.base_model.noise import RATE_HZ

_QUIET_DB = -20.0
_SHORTEST_S = 1.2
# A tenth of a second: the closure of a T or a K is shorter, a pause is not.
_WINDOW = 1600


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A place between two words.

    Attributes:
        words: How many words come before it.
        sample: Where it lies in the recording.
        level_db: Loudness there against the whole recording's.
    """

    words: int
    sample: int
    level_db: float


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of an utterance, or noise where there is no entry.

    Attributes:
        entry: The utterance.
        first: Where the part begins in the cache, in samples.
        count: Its samples.
        text: What is said in it.
        before: Samples of silence to put before it.
        after: Samples of silence to put behind it.
    """

    entry: Entry | None
    first: int
    count: int
    text: str
    before: int = 0
    after: int = 0

    @property
    def seconds(self) -> float:
        """How long it lasts with its silence."""
        return (self.before + self.count + self.after) / RATE_HZ


def whole(entry: Entry) -> Piece:
    """Take an utterance as it is."""
    return Piece(entry=entry, first=entry.first, count=entry.count, text=entry.text)


def divide(entry: Entry, cuts: list[Cut], longest_s: float, random: np.random.Generator) -> list[Piece]:
    """Cut an utterance at pauses into pieces of a length drawn anew each time; nothing is left out."""
    words = entry.text.split()
    aim = random.uniform(_SHORTEST_S, longest_s) * RATE_HZ
    pieces, word, start = [], 0, 0
    for cut in [*cuts, Cut(words=len(words), sample=entry.count, level_db=0.0)]:
        last = cut.sample == entry.count
        if last or (cut.sample - start >= aim and entry.count - cut.sample > _SHORTEST_S * RATE_HZ):
            pieces.append(
                Piece(
                    entry=entry,
                    first=entry.first + start,
                    count=cut.sample - start,
                    text=" ".join(words[word : cut.words]),
                )
            )
            word, start = cut.words, cut.sample
            aim = random.uniform(_SHORTEST_S, longest_s) * RATE_HZ
    return pieces


def find_cuts(
    cache: Cache, entries: list[Entry], log_probs: Callable[[Entry], npt.NDArray[np.float32]]
) -> dict[int, list[Cut]]:
    """Find the pauses of utterances, by the place of each in the cache."""
    return {entry.first: _cuts_of(cache, entry, log_probs(entry)) for entry in entries}


def write_cuts(path: Path, cuts: dict[int, list[Cut]]) -> None:
    """Keep the pauses; the file appears whole."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({first: [asdict(cut) for cut in found] for first, found in cuts.items()}))
    draft.replace(path)


def read_cuts(path: Path) -> dict[int, list[Cut]]:
    """Read the pauses; none, where none were ever looked for."""
    if not path.exists():
        return {}
    return {
        int(first): [Cut(**cut) for cut in found] for first, found in json.loads(path.read_text()).items()
    }


def _cuts_of(cache: Cache, entry: Entry, log_probs_tv: npt.NDArray[np.float32]) -> list[Cut]:
    path = best_path(log_probs_tv, encode(entry.text))
    if path is None:
        return []
    samples = cache.samples(entry)
    per_frame = len(samples) / len(log_probs_tv)
    power = np.convolve(samples**2, np.ones(_WINDOW) / _WINDOW, mode="same")
    usual = float(np.mean(samples**2)) + 1e-12
    found, words = [], 0
    for place, letter in enumerate(entry.text):
        if letter != " ":
            continue
        words += 1
        # The labels tell the time to about a tenth of a second; the quietest place between them, exactly.
        begin = int((path.last_frames[place - 1] + 1) * per_frame)
        end = max(int((path.first_frames[place + 1]) * per_frame), begin + 1)
        sample = begin + int(np.argmin(power[begin:end]))
        level_db = 10 * float(np.log10(power[sample] / usual + 1e-12))
        if level_db < _QUIET_DB and end - begin > per_frame:
            found.append(Cut(words=words, sample=sample, level_db=round(level_db, 1)))
    return found
