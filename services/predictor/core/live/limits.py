"""How the service listens, and what one stream may use."""

from dataclasses import dataclass

from services.predictor.core.live.endpointing import Endpointing


@dataclass(frozen=True, kw_only=True)
class LiveLimits:
    """Limits of live audio.

    Attributes:
        max_streams: Streams at once.
        audio_bytes: Audio of one stream that has come and was not listened to yet.
        idle_s: A stream that sends nothing for so long ends.
        endpoint_silence_s: Silence that ends an utterance, where the caller does not say.
        max_utterance_s: Longest utterance, where the caller does not say.
        longest_utterance_s: Longest that a caller may ask for.
        before_s: What belongs to an utterance before its first speech.
        after_s: What is listened to behind its last speech; then its final result is begun, ahead of its end.
        context_s: What the model hears for a final result: the utterance, or so much up to its end if that is
            more.
        cut_s: Where an utterance is cut for its length, the cut lies in its last part of this length.
        interim_interval_s: Shortest audio between two interim results.
        interim_window_s: Most that the model hears for an interim result.
        interim_context_s: What it hears before the words that are not settled.
        settling_s: A word that ends so near the newest audio may still grow.
    """

    max_streams: int = 16
    audio_bytes: int = 256 << 10
    idle_s: float = 30.0
    endpoint_silence_s: float = 0.6
    max_utterance_s: float = 15.0
    longest_utterance_s: float = 30.0
    before_s: float = 0.5
    after_s: float = 0.3
    context_s: float = 0.0
    cut_s: float = 5.0
    interim_interval_s: float = 0.3
    interim_window_s: float = 8.0
    interim_context_s: float = 2.0
    settling_s: float = 0.3

    def endpointing(
        self,
        sample_rate_hz: int,
        step_samples: int,
        silence_s: float | None = None,
        longest_s: float | None = None,
    ) -> Endpointing:
        """When utterances end.

        Args:
            sample_rate_hz: Of the audio.
            step_samples: Of the voice detector.
            silence_s: Silence that ends one, where somebody says.
            longest_s: Longest utterance, where somebody says.
        """
        silence_s = silence_s or self.endpoint_silence_s
        return Endpointing(
            step_samples=step_samples,
            silence_samples=round(silence_s * sample_rate_hz),
            longest_samples=round((longest_s or self.max_utterance_s) * sample_rate_hz),
            before_samples=round(self.before_s * sample_rate_hz),
            after_samples=round(min(self.after_s, silence_s) * sample_rate_hz),
        )
