"""What is asked of Whisper, and what it hears in a window."""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thanosql_ctc.waveform import Samples

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 30 * SAMPLE_RATE_HZ
SAMPLES_PER_TIMESTAMP = SAMPLE_RATE_HZ // 50
AUTO = "auto"


class SpeechTask(enum.Enum):
    """What becomes of speech."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a caller wants of all recordings of a stream.

    Attributes:
        language: The one that is spoken, such as `en`; `auto` for whichever each recording begins with.
        task: Whether it becomes text in that language, or in English.
    """

    language: str = AUTO
    task: SpeechTask = SpeechTask.TRANSCRIBE


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeechWindow:
    """At most half a minute; `language_id` is the token of its language, None where that is to be found."""

    samples: Samples
    language_id: int | None
    task: SpeechTask

    def __len__(self) -> int:
        """Every window is filled up to the same length, so that all are of the same kind to the queue."""
        return 1


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowFeatures:
    """A window as the model sees it, and the tokens that its answer begins with."""

    mel_cf: npt.NDArray[np.float32]
    language_id: int | None
    task: SpeechTask


@dataclass(frozen=True, kw_only=True)
class HeardWindow:
    """The tokens of a window, timestamps among them, and the language that they are in."""

    tokens: tuple[int, ...]
    language_id: int | None
