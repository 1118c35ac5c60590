"""What callers ask of a beam search, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.predictor.core.decoding.beam.orders import SpelledHotword
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError, error

WIDEST_BEAM = 1024
MOST_HOTWORDS = 1000
LONGEST_HOTWORD = 100
LARGEST_WEIGHT = 100.0


@dataclass(frozen=True, kw_only=True)
class Hotword:
    """A word or a phrase, and the reward for hearing it."""

    phrase: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """What is asked for; units are natural logarithms.

    Attributes:
        language_model: Path of an ARPA file in the workspace; empty for none.
        lm_weight: What its logarithms are multiplied by.
        word_score: Added for each word.
        beam_width: Readings that are kept from frame to frame.
        hotwords: Words and phrases that count more.
    """

    language_model: str = ""
    lm_weight: float = 0.5
    word_score: float = 0.0
    beam_width: int = 64
    hotwords: Sequence[Hotword] = ()


def check(options: BeamOptions) -> None:
    """Refuse what is out of bounds, with INVALID_ARGUMENT."""
    if not 1 <= options.beam_width <= WIDEST_BEAM:
        raise _wrong("beam_width", f"must be 1 to {WIDEST_BEAM}, not {options.beam_width}")
    if not 0 <= options.lm_weight <= LARGEST_WEIGHT:
        raise _wrong("lm_weight", f"must be 0 to {LARGEST_WEIGHT:g}, not {options.lm_weight}")
    if not abs(options.word_score) <= LARGEST_WEIGHT:
        raise _wrong(
            "word_score", f"must be -{LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}, not {options.word_score}"
        )
    if len(options.hotwords) > MOST_HOTWORDS:
        raise _wrong("hotwords", f"has {len(options.hotwords)} phrases, {MOST_HOTWORDS} are taken at most")
    for hotword in options.hotwords:
        if not 1 <= len(hotword.phrase.strip()) <= LONGEST_HOTWORD:
            text = f"must be phrases of 1 to {LONGEST_HOTWORD} characters, not {hotword.phrase[:40]!r}"
            raise _wrong("hotwords", text)
        if not abs(hotword.weight) <= LARGEST_WEIGHT:
            text = f"must be at most {LARGEST_WEIGHT:g}, above or below 0, not {hotword.weight}"
            raise _wrong("hotword_weight", text)


def spell(hotwords: Sequence[Hotword], vocabulary: Vocabulary) -> tuple[SpelledHotword, ...]:
    """Spell hotwords in labels; of those that are spelled alike, the last one counts.

    Raises:
        ThanosqlError: TEXT_OUTSIDE_VOCABULARY, naming the phrase and the characters that no label writes.
    """
    spelled: dict[tuple[int, ...], float] = {}
    for hotword in hotwords:
        unknown = vocabulary.unknown_characters(hotword.phrase)
        if unknown:
            listed = " ".join(repr(character) for character in unknown[:20])
            raise error(
                Reason.TEXT_OUTSIDE_VOCABULARY,
                f"the hotword {hotword.phrase!r} can never be heard: the model's vocabulary lacks {listed}; "
                "write it as it sounds, in characters that the model has",
                characters=unknown[:100],
                option="hotwords",
                value=hotword.phrase,
            )
        spelled[tuple(vocabulary.encode(hotword.phrase))] = hotword.weight
    return tuple(SpelledHotword(labels=labels, weight=weight) for labels, weight in spelled.items())


def _wrong(option: str, problem: str) -> ThanosqlError:
    return error(Reason.INVALID_ARGUMENT, f"{option} {problem}", option=option)
