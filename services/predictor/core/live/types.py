"""What live audio is made of, without gRPC."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """How to listen to one stream.

    Attributes:
        sample_rate_hz: Rate of the samples that come.
        interim_results: Whether interim results are wanted.
        endpoint_silence_s: Silence that ends an utterance; None for the service's own choice.
        max_utterance_s: Longest utterance; None for the service's own choice.
    """

    sample_rate_hz: int
    interim_results: bool = False
    endpoint_silence_s: float | None = None
    max_utterance_s: float | None = None


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
    """

    text: str
    is_final: bool
    stability: float
    start_s: float
    end_s: float
