"""Words of a stretch of live audio: which window the model hears, and which of its labels count."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.decoding.reading import read
from services.predictor.core.decoding.types import LogProbabilities, Reading
from services.predictor.core.live.arriving import Tape
from services.predictor.core.live.endpointing import Utterance
from services.predictor.core.live.final_windows import FinalWindows
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.ports import LiveModel
from services.predictor.core.live.words import Word, find_words
from services.predictor.core.waiting import Urgency
from thanosql_ctc.waveform import Samples


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The words of a stretch, and the frames that it spans; the same in detail, where that was asked for."""

    words: Sequence[Word]
    begin: int
    end: int
    reading: Reading | None = None


class Decoder:
    """Hears one stream with one model.

    What a final result hears is a function of the utterance alone: how the audio came makes no difference.

    Args:
        model: Held by the stream.
        tape: The stream.
        limits: How much is heard.
        in_detail: Whether it is told of final results when each word was said, and how sure it is.
    """

    def __init__(self, model: LiveModel, tape: Tape, limits: LiveLimits, *, in_detail: bool = False) -> None:
        self._in_detail = in_detail
        self._model = model
        self._tape = tape
        self._limits = limits
        self._finals = FinalWindows(model.acoustics, limits)
        self._vocabulary = model.acoustics.vocabulary
        self.frame_samples = model.acoustics.geometry.samples_per_frame

    def samples(self, seconds: float) -> int:
        """A length of time in samples."""
        return round(seconds * self._model.acoustics.sample_rate_hz)

    def seconds(self, frame: int) -> float:
        """The time at which a frame begins."""
        return frame * self.frame_samples / self._model.acoustics.sample_rate_hz

    def needed_from(self, begin: int | None, heard_until: int) -> int:
        """The first sample that a later result may ask for.

        Args:
            begin: Where the running utterance begins; None where nobody speaks.
            heard_until: The next utterance is listened to as far as this, or further.
        """
        utterance = heard_until - self.samples(self._limits.before_s) if begin is None else begin
        return min(utterance, heard_until - self.samples(self._limits.context_s)) - self.frame_samples

    async def final(self, utterance: Utterance) -> Heard:
        """Hear a whole utterance, with what was said before it; one cut for its length up to its best cut."""
        end = utterance.heard_until
        first, labels, scores_fv = await self._final_labels(self._finals.begin(utterance), end)
        counted = self._finals.counted(utterance, first, labels)
        begin = first + counted.start
        words = find_words(labels[counted.start : counted.stop], begin, self._vocabulary)
        reading = None
        if scores_fv is not None:
            # Where it is cut, the rest belongs to the next utterance.
            last = (first + counted.stop) * self.frame_samples if utterance.is_cut else end
            samples = self._tape.part(begin * self.frame_samples, min(last, end))
            reading = await asyncio.to_thread(
                self._read, scores_fv[counted.start : counted.stop], samples, self.seconds(begin)
            )
        return Heard(words=words, begin=begin, end=first + counted.stop, reading=reading)

    def rest_begins(self, utterance: Utterance, heard: Heard) -> int:
        """The first sample of what follows an utterance that was cut for its length."""
        return self._finals.rest_begins(utterance, heard.end)

    def _read(self, scores_fv: LogProbabilities, samples: Samples, begin_s: float) -> Reading:
        acoustics = self._model.acoustics
        hypotheses = GreedyDecoder(self._vocabulary.blank_id).decode(scores_fv)
        (reading,) = read(hypotheses, scores_fv, self._vocabulary, samples, acoustics.timeline())
        return reading.later(begin_s)

    async def _final_labels(self, begin: int, end: int) -> tuple[int, list[int], LogProbabilities | None]:
        if not self._in_detail:
            return *await self._labels(begin, end, Urgency.FINAL), None
        first, window = self._window(begin, end)
        scores_fv = await self._model.score_window(window, Urgency.FINAL)
        return first, scores_fv.argmax(axis=-1).tolist(), scores_fv

    async def interim(self, begin: int, settled_until: int) -> Heard:
        """Hear the end of the running utterance, from somewhat before the words that are not settled."""
        end, limits = self._tape.end, self._limits
        settled = settled_until * self.frame_samples - self.samples(limits.interim_context_s)
        earliest = max(begin - self.samples(limits.before_s), end - self.samples(limits.interim_window_s))
        first, labels = await self._labels(max(earliest, settled), end, Urgency.INTERIM)
        skipped = max(0, self._finals.frame_behind(begin) - first)
        words = find_words(labels[skipped:], first + skipped, self._vocabulary)
        return Heard(words=words, begin=first, end=first + len(labels))

    async def _labels(self, begin: int, end: int, urgency: Urgency) -> tuple[int, list[int]]:
        first, window = self._window(begin, end)
        return first, await self._model.label(window, urgency)

    def _window(self, begin: int, end: int) -> tuple[int, Samples]:
        """The first frame of a stretch, and its samples from there on."""
        first = max(begin // self.frame_samples, self._finals.frame_behind(self._tape.begin))
        return first, self._tape.part(first * self.frame_samples, end)
