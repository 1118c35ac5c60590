"""What live audio is made of, without gRPC."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.predictor.core.decoding.types import SpokenWord


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """How to listen to one stream.

    Attributes:
        sample_rate_hz: Rate of the samples that come.
        interim_results: Whether interim results are wanted.
        endpoint_silence_s: Silence that ends an utterance; None for the service's own choice.
        max_utterance_s: Longest utterance; None for the service's own choice.
        word_times: Whether it is told of final results when each word was said.
        confidence: Whether it is told of final results how sure they are.
    """

    sample_rate_hz: int
    interim_results: bool = False
    endpoint_silence_s: float | None = None
    max_utterance_s: float | None = None
    word_times: bool = False
    confidence: bool = False

    @property
    def in_detail(self) -> bool:
        """Whether more is told than the text."""
        return self.word_times or self.confidence


@dataclass(frozen=True, kw_only=True)
class Finalize:
    """The caller's wish that the utterance ends here."""


Part = bytes | Finalize


@dataclass(frozen=True, kw_only=True)
class LiveResult:
    """Part of what was heard.

    Attributes:
        text: The text.
        is_final: Whether it will not change.
        stability: Share of such words that were still there in the final results when it was measured.
        start_s: Where it begins in the audio.
        end_s: Where it ends in the audio.
        words: The words of a final result; empty where nobody asked.
        confidence: The share of the words of a final result that are probably right; None without words or
            where nobody asked.
    """

    text: str
    is_final: bool
    stability: float
    start_s: float
    end_s: float
    words: Sequence[SpokenWord] = ()
    confidence: float | None = None
