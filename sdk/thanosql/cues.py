"""Words with their times, as cues that people can read while they listen."""

from collections.abc import Sequence
from dataclasses import dataclass

from thanosql.values import Word

LINE_CHARACTERS = 42
CUE_LINES = 2
CUE_S = 7.0
# A pause this long always begins a new cue.
PAUSE_S = 1.0
# A cue stays at least so long, where the next one does not begin before.
SHORTEST_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Cue:
    """What stands under a picture for some time.

    Attributes:
        start_s: When it appears.
        end_s: When it goes; not after the next one appears.
        lines: Two at most, of at most 42 characters, unless a word alone is longer.
    """

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def cues_of(words: Sequence[Word]) -> list[Cue]:
    """Part words into cues: at pauses, and where a cue would be too long to be read at once."""
    parts, rest = list[Sequence[Word]](), list(words)
    while rest:
        count = _fitting(rest)
        parts.append(rest[:count])
        rest = rest[count:]
    nexts = [*(part[0].start_s for part in parts), float("inf")][1:]
    return [_cue(part, next_s) for part, next_s in zip(parts, nexts, strict=True)]


def _fitting(words: Sequence[Word]) -> int:
    """How many of the words the next cue takes."""
    count = 1
    while count < len(words) and _gap_s(words, count) < PAUSE_S and _fits(words[: count + 1]):
        count += 1
    if count == len(words) or _gap_s(words, count) >= PAUSE_S:
        return count
    # It is full: the longest pause in its second half is the best place to end; of equals, the last.
    return max(range(count // 2 + 1, count + 1), key=lambda place: (_gap_s(words, place), place))


def _gap_s(words: Sequence[Word], place: int) -> float:
    return words[place].start_s - words[place - 1].end_s


def _fits(words: Sequence[Word]) -> bool:
    lines = _lines([word.text for word in words])
    is_short = len(lines) <= CUE_LINES and all(len(line) <= LINE_CHARACTERS for line in lines)
    return is_short and words[-1].end_s - words[0].start_s <= CUE_S


def _lines(texts: Sequence[str]) -> tuple[str, ...]:
    """One line, or two that are as alike in length as words let them."""
    whole = " ".join(texts)
    if len(whole) <= LINE_CHARACTERS or len(texts) == 1:
        return (whole,)
    pairs = ((" ".join(texts[:place]), " ".join(texts[place:])) for place in range(1, len(texts)))
    return min(pairs, key=lambda pair: max(map(len, pair)))


def _cue(words: Sequence[Word], next_s: float) -> Cue:
    start_s = words[0].start_s
    end_s = min(max(words[-1].end_s, start_s + SHORTEST_S), start_s + CUE_S, next_s)
    return Cue(start_s=start_s, end_s=end_s, lines=_lines([word.text for word in words]))
