"""Pairs of texts, and what their comparison gave."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TextPair:
    """What was said and what was heard."""

    reference: str
    hypothesis: str


@dataclass(frozen=True, kw_only=True)
class TextComparison:
    """The errors of a pair; see `TextComparison` in trainer.proto. With a reason, there is nothing else."""

    reason: str = ""
    message: str = ""
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0
    character_errors: int = 0
    reference_characters: int = 0
    difference: str = ""

    @property
    def word_errors(self) -> int:
        """All errors in words."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def wer(self) -> float:
        """Word error rate of the pair."""
        return self.word_errors / self.reference_words

    @property
    def cer(self) -> float:
        """Character error rate of the pair."""
        return self.character_errors / self.reference_characters
