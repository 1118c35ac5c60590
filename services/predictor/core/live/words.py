"""Words with their places, from the best label of every frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from thanosql_ctc.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word, in frames from the start of the stream.

    Attributes:
        text: As it is written.
        begin: Its first frame.
        end: Behind its last frame.
    """

    text: str
    begin: int
    end: int


def find_words(labels: Sequence[int], first_frame: int, vocabulary: Vocabulary) -> list[Word]:
    """Find the words of a part of a stream.

    Args:
        labels: The best label of every frame.
        first_frame: Where the part begins in the stream.
        vocabulary: What labels mean.
    """
    words, letters, frames = [], list[int](), list[int]()
    frame = first_frame
    for label, run in groupby(labels):
        length = sum(1 for _ in run)
        if vocabulary.tokens[label] == vocabulary.word_delimiter:
            words += _word(letters, frames, vocabulary)
            letters, frames = [], []
        elif label != vocabulary.blank_id:
            letters.append(label)
            frames += [frame, frame + length]
        frame += length
    return words + _word(letters, frames, vocabulary)


def text_of(words: Iterable[Word]) -> str:
    """Write words one behind the other."""
    return " ".join(word.text for word in words)


def quietest_cut(labels: Sequence[int], vocabulary: Vocabulary, earliest: int) -> int:
    """Find the frame between two words at which a text is best cut in two.

    It is the middle of the longest stretch in which nothing is heard, between words rather than inside of
    one; the end, where something is heard all the time.

    Args:
        labels: The best label of every frame.
        vocabulary: What labels mean.
        earliest: First frame to look at.
    """
    best, cut, frame = (False, 0), len(labels), earliest
    silences = {vocabulary.blank_id: False} | {
        label: True for label, token in enumerate(vocabulary.tokens) if token == vocabulary.word_delimiter
    }
    for is_silent, run in groupby(labels[earliest:], key=silences.__contains__):
        stretch = list(run)
        found = (any(silences[label] for label in stretch), len(stretch)) if is_silent else (False, 0)
        if found > best:
            best, cut = found, frame + len(stretch) // 2
        frame += len(stretch)
    return cut


def _word(letters: Sequence[int], frames: Sequence[int], vocabulary: Vocabulary) -> list[Word]:
    text = vocabulary.decode(letters)
    return [Word(text=text, begin=frames[0], end=frames[-1])] if text else []
