"""Reading ARPA, the text format of n-gram models; nothing in a file is trusted.

A file says first how many n-grams of each length it holds, then gives them: the logarithm (base 10) of the
probability of the last word, the words, and what to add where a longer n-gram is missing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.beam.ngrams import EMPTY, NO_WORD, Integers, NGrams, find_states
from thanosql_runtime.errors import Reason, ThanosqlError, error

_LONGEST_LINE_BYTES = 8192
_LONGEST_ORDER = 6
_SHORTEST_NGRAM_BYTES = 4  # a digit, a space, a letter, the end of the line
_LONGEST_HEADER_LINES = 1000
_KENLM = b"mmap lm http://kheafield.com/code"
_LARGEST = 1e3
_BEGIN, _END = b"<s>", b"</s>"
_UNKNOWN = (b"<unk>", b"<UNK>")


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadModel:
    """What a file holds.

    Attributes:
        ngrams: The model.
        words: Its words by number, as written.
    """

    ngrams: NGrams
    words: Sequence[str]


class ArpaReader:
    """Reads one file.

    Args:
        file: The bytes, decompressed.
        size_bytes: How many there are at most; bounds what the file may claim to hold, and what is read.
        max_ngrams: Most n-grams that are taken.
    """

    def __init__(self, file: BinaryIO, size_bytes: int, max_ngrams: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._max_ngrams = max_ngrams
        self._line = 0
        self._read_bytes = 0
        self._words: dict[bytes, int] = {}

    def read(self) -> ReadModel:
        """Read all of it.

        Raises:
            ThanosqlError: INVALID_DATA, with the line and what is wrong there; UNSUPPORTED_FORMAT for another
                format.
        """
        counts = self._counts()
        levels = [
            self._level(length, count, last=length == len(counts)) for length, count in enumerate(counts, 1)
        ]
        if self._content() != b"\\end\\":
            raise self._wrong(
                "\\end\\ must follow the longest n-grams; the file is cut off or holds too many"
            )
        text = [_decoded(word) for word in self._words]
        if None in text:
            raise self._wrong(f"word {text.index(None) + 1} is not UTF-8")
        return ReadModel(ngrams=self._assembled(levels), words=[word or "" for word in text])

    def _counts(self) -> list[int]:
        """Read how many n-grams of each length there are."""
        for _skipped in range(_LONGEST_HEADER_LINES):
            line = self._next(at_end=True)
            if line.startswith(_KENLM):
                raise error(
                    Reason.UNSUPPORTED_FORMAT,
                    "it is a binary of KenLM, which cannot be checked before it is used; give the ARPA file "
                    "that it was made from, which may be compressed with gzip",
                )
            if line == b"\\data\\":
                break
        else:
            raise error(Reason.UNSUPPORTED_FORMAT, "it is not an ARPA file: no line says \\data\\")
        counts: list[int] = []
        while line := self._next():
            counts.append(self._count(line, len(counts) + 1))
        if not counts or sum(counts) > self._max_ngrams:
            most = f"{self._max_ngrams:,} are taken at most (THANOSQL_PREDICTOR__MAX_NGRAMS)"
            raise self._wrong(f"it has {sum(counts):,} n-grams; {most}")
        if sum(counts) * _SHORTEST_NGRAM_BYTES > self._size_bytes:
            raise self._wrong(
                f"it claims {sum(counts):,} n-grams, more than fit into {self._size_bytes} bytes"
            )
        return counts

    def _count(self, line: bytes, length: int) -> int:
        name, equals, number = line.partition(b"=")
        words = name.split()
        if words != [b"ngram", str(length).encode()] or not equals or not number.strip().isdigit():
            raise self._wrong(f"'ngram {length}=' and a count must stand here")
        if length > _LONGEST_ORDER:
            raise self._wrong(f"n-grams of more than {_LONGEST_ORDER} words are not taken")
        if len(number.strip()) > 12:
            raise self._wrong("the count is absurd")
        return int(number)

    def _level(self, length: int, count: int, *, last: bool) -> "_Level":
        if self._content() != f"\\{length}-grams:".encode():
            raise self._wrong(f"\\{length}-grams: must stand here, behind the n-grams that were announced")
        words = np.empty((count, length), dtype=np.int32)
        numbers = np.zeros((count, 2), dtype=np.float64)
        for place in range(count):
            parts = self._next().split()
            if not length < len(parts) <= length + (1 if last else 2):
                raise self._wrong(f"a number, {length} words and perhaps a number must stand here")
            words[place] = self._numbered(parts[1 : length + 1], place)
            numbers[place, 0] = self._number(parts[0])
            if len(parts) == length + 2:
                numbers[place, 1] = self._number(parts[-1])
            if numbers[place, 0] > 0:
                raise self._wrong("the logarithm of a probability is above 0")
        return _Level(words=words, log_probs=numbers[:, 0], backoffs=numbers[:, 1])

    def _numbered(self, parts: Sequence[bytes], place: int) -> list[int]:
        if len(parts) == 1:
            if self._words.setdefault(parts[0], place) != place:
                raise self._wrong(f"the word {parts[0]!r} stands twice")
            return [place]
        numbers = [self._words.get(part, NO_WORD) for part in parts]
        if NO_WORD in numbers:
            raise self._wrong(f"the word {parts[numbers.index(NO_WORD)]!r} is not among the 1-grams")
        return numbers

    def _number(self, written: bytes) -> float:
        try:
            number = float(written)
        except ValueError:
            number = math.nan
        if not abs(number) <= _LARGEST:
            raise self._wrong(f"{written[:40]!r} is no logarithm")
        return number * math.log(10)

    def _assembled(self, levels: Sequence["_Level"]) -> NGrams:
        """Number the n-grams, and find for each where to go from it and where to go back."""
        size = max(1, len(self._words))
        keys = np.empty(0, dtype=np.int64)
        log_probs, backoffs, suffixes = [np.zeros(1)], [np.zeros(1)], [np.zeros(1, dtype=np.int64)]
        for length, level in enumerate(levels, 1):
            parents = self._parents(keys, level, size)
            new_keys = parents * size + level.words[:, -1]
            order = np.argsort(new_keys)
            new_keys = new_keys[order]
            if (np.diff(new_keys) == 0).any():
                raise self._wrong(f"an n-gram of {length} words stands twice")
            behind = _suffixes(keys, np.concatenate(suffixes), parents[order], level.words[order, -1], size)
            keys = np.concatenate([keys, new_keys])
            log_probs.append(level.log_probs[order])
            backoffs.append(level.backoffs[order])
            suffixes.append(behind)
        all_suffixes = np.concatenate(suffixes).astype(np.int32)
        nexts = np.arange(len(keys) + 1, dtype=np.int32)
        longest = len(keys) + 1 - len(levels[-1].words)
        nexts[longest:] = all_suffixes[longest:]
        unknown = next((self._words[word] for word in _UNKNOWN if word in self._words), NO_WORD)
        begin = self._words.get(_BEGIN, NO_WORD)
        return NGrams(
            order=len(levels),
            size=size,
            keys=keys,
            log_probs=np.concatenate(log_probs).astype(np.float32),
            backoffs=np.concatenate(backoffs).astype(np.float32),
            suffixes=all_suffixes,
            nexts=nexts,
            begin=EMPTY if begin == NO_WORD else int(nexts[begin + 1]),
            end_word=self._words.get(_END, NO_WORD),
            unknown_word=unknown,
        )

    def _parents(self, keys: Integers, level: "_Level", size: int) -> Integers:
        states = np.zeros(len(level.words), dtype=np.int64)
        for column in range(level.words.shape[1] - 1):
            states = find_states(keys, states * size + level.words[:, column])
            if not states.all():
                missing = int(np.flatnonzero(states == EMPTY)[0])
                words = f"n-gram {missing + 1} of {level.words.shape[1]} words"
                raise self._wrong(f"{words} continues one of {column + 1} that is not there")
        return states

    def _content(self) -> bytes:
        """The next line that is not empty."""
        for _skipped in range(_LONGEST_HEADER_LINES):
            if line := self._next(at_end=True):
                return line
        return b""

    def _next(self, *, at_end: bool = False) -> bytes:
        line = self._file.readline(_LONGEST_LINE_BYTES)
        self._line += 1
        self._read_bytes += len(line)
        if self._read_bytes > self._size_bytes:
            raise self._wrong(f"it goes on behind {self._size_bytes:,} bytes, which are taken at most")
        if not line and not at_end:
            raise self._wrong("the file ends here, before all that it announces")
        if len(line) == _LONGEST_LINE_BYTES:
            raise self._wrong(f"the line is longer than {_LONGEST_LINE_BYTES} bytes")
        return line.strip()

    def _wrong(self, problem: str) -> ThanosqlError:
        return error(Reason.INVALID_DATA, f"line {self._line}: {problem}", line=str(self._line))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Level:
    """The n-grams of one length, as written."""

    words: npt.NDArray[np.int32]
    log_probs: npt.NDArray[np.float64]
    backoffs: npt.NDArray[np.float64]


def _suffixes(
    keys: Integers, suffixes: Integers, parents: Integers, words: npt.NDArray[np.int32], size: int
) -> Integers:
    """The longest known n-gram that each new one ends with, without its first word."""
    behind = np.zeros(len(parents), dtype=np.int64)
    rows = np.flatnonzero(parents)
    states = parents[rows]
    while len(rows):
        states = suffixes[states]
        found = find_states(keys, states * size + words[rows])
        behind[rows] = found
        again = (found == EMPTY) & (states != EMPTY)
        rows, states = rows[again], states[again]
    return behind


def _decoded(word: bytes) -> str | None:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        return None
