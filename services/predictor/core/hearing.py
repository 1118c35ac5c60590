"""From the samples of one recording to an answer, counted with its model."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from services.predictor.core.decoding.beam.decoding import Beam
from services.predictor.core.decoding.choosing import decoder_for
from services.predictor.core.decoding.types import Detail
from services.predictor.core.kept_transcripts import KeptTranscript
from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.statistics import Counters
from services.predictor.core.types import Embedding, Transcript
from thanosql_audio.types import Audio
from thanosql_ctc.waveform import Samples

Outcome = TypeVar("Outcome", Transcript, Embedding, Transcript | KeptTranscript)


class Counted(Protocol):
    """A model, as far as every answer needs it."""

    @property
    def counters(self) -> Counters:
        """Where everything is counted."""
        ...

    @property
    def sample_rate_hz(self) -> int:
        """Rate that it takes."""
        ...


class Transcribing(Counted, Protocol):
    """What makes text of samples."""

    async def transcribe(self, samples: Samples, deadline_s: float | None = None) -> str:
        """Turn samples into text; empty for silence."""
        ...


async def transcribe(
    model: Transcribing, beam: Beam | None, detail: Detail, audio: Audio, deadline_s: float | None
) -> Transcript:
    """Turn a recording into text, and what is told beside it."""
    if not detail.is_text_alone:
        assert isinstance(model, LoadedModel), "others tell the text alone"
        return await _transcribe_in_detail(model, audio, deadline_s, beam, detail)
    if beam is None:
        text = await model.transcribe(audio.samples, deadline_s)
    else:
        assert isinstance(model, LoadedModel), "beams were made for its labels"
        best = (await beam.decode(await model.score(audio.samples, deadline_s)))[0]
        text = model.acoustics.vocabulary.decode([heard.label for heard in best.labels])
    return Transcript(text=text, audio_s=audio.duration_s)


async def _transcribe_in_detail(
    model: LoadedModel, audio: Audio, deadline_s: float | None, beam: Beam | None, detail: Detail
) -> Transcript:
    if beam is None:
        decoder = decoder_for(detail, model.acoustics.vocabulary)
        readings = await model.decode(audio.samples, decoder, deadline_s)
    else:
        readings = await model.decode_by(audio.samples, beam.decode, deadline_s)
    told = [one.told(word_times=detail.word_times, confidence=detail.confidence) for one in readings]
    return Transcript(
        text=told[0].text,
        audio_s=audio.duration_s,
        words=told[0].words,
        confidence=told[0].confidence,
        alternatives=told if detail.n_best > 1 else (),
    )


async def embed(model: LoadedModel, audio: Audio, deadline_s: float | None) -> Embedding:
    """Turn a recording into a vector."""
    values = await model.embed(audio.samples, deadline_s)
    return Embedding(values=values, audio_s=audio.duration_s)


async def counted(model: Counted, hearing: Awaitable[Outcome]) -> Outcome:
    """Wait for an answer, and note what became of it."""
    try:
        heard = await hearing
    except asyncio.CancelledError:
        model.counters.rows_cancelled += 1
        raise
    except Exception:
        model.counters.rows_failed += 1
        raise
    if isinstance(heard, KeptTranscript):
        model.counters.rows_reused += 1
    else:
        model.counters.rows_succeeded += 1
        model.counters.audio_s += heard.audio_s
    return heard
