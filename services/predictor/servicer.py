"""The RPCs of the predictor: check, convert, call, convert."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from services.predictor import convert, convert_live, convert_words
from services.predictor.core.decoding.beam.decoding import Beam, BeamDecoding
from services.predictor.core.kept_transcripts import KeptTranscripts
from services.predictor.core.live.listening import Listener
from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.registry import ModelRegistry
from services.predictor.core.statistics import Statistics
from services.predictor.core.texts.embedding import embed_texts
from services.predictor.core.transcription import Transcriber
from services.predictor.core.types import ModelRecord
from services.predictor.core.whisper.types import Wish
from services.predictor.core.wishes import Asked, Hearing, hears_as
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictorParts:
    """What answers the RPCs."""

    registry: ModelRegistry
    transcriber: Transcriber
    listener: Listener
    transcripts: KeptTranscripts
    beams: BeamDecoding
    statistics: Statistics


class PredictorServicer(predictor_pb2_grpc.PredictorServiceServicer):
    """Errors travel as exceptions to the runtime's interceptor."""

    def __init__(self, parts: PredictorParts, default_timeout_s: float, texts_in_flight: int) -> None:
        self._registry = parts.registry
        self._transcriber = parts.transcriber
        self._listener = parts.listener
        self._transcripts = parts.transcripts
        self._beams = parts.beams
        self._statistics = parts.statistics
        self._default_timeout_s = default_timeout_s
        self._texts_in_flight = texts_in_flight

    async def Transcribe(
        self, request_iterator: AsyncIterator[predictor_pb2.TranscribeRequest], context: _Context
    ) -> AsyncIterator[predictor_pb2.TranscribeResponse]:
        """Answer every row of a stream once, in any order; a stream that is cancelled drops its rows."""
        config = await convert.read_transcribe_config(request_iterator)
        detail = convert_words.from_detail(config.detail)
        with self._transcriber.streams.enter():
            record = await self._registry.resolve(*convert.named_version(config), convert.precision(config))
            asked = Asked(wish=convert.wish(config), beam=convert.beam_options(config), detail=detail)
            async with self._opened(record, asked) as (model, beam):
                manner = convert.to_manner(config, model, beam)
                kept = await self._transcripts.open(manner, reuse=config.reuse)
                yield convert.to_transcribe_start(record, model)
                rows = convert.read_rows(request_iterator)
                async with aclosing(
                    self._transcriber.answer_rows(model, rows, kept, beam, detail)
                ) as answers:
                    async for answer in answers:
                        yield convert.to_answer(answer)
                # So that a caller who deletes what is kept, or counts it, does so with what this one made.
                await self._transcripts.flush()

    async def Embed(
        self, request_iterator: AsyncIterator[predictor_pb2.EmbedRequest], context: _Context
    ) -> AsyncIterator[predictor_pb2.EmbedResponse]:
        """Answer every row of a stream once with an embedding; as `Transcribe` otherwise."""
        name, version = await convert.read_config(request_iterator)
        with self._transcriber.streams.enter():
            record = await self._registry.resolve(name, version)
            async with self._registry.use(record) as model:
                yield predictor_pb2.EmbedResponse(start=convert.to_embed_start(record, model.dimension))
                rows = convert.read_rows(request_iterator)
                async with aclosing(self._transcriber.embed_rows(model, rows)) as answers:
                    async for answer in answers:
                        yield convert.to_embed_answer(answer)

    async def EmbedText(
        self, request_iterator: AsyncIterator[predictor_pb2.EmbedTextRequest], context: _Context
    ) -> AsyncIterator[predictor_pb2.EmbedTextResponse]:
        """Answer every text of a stream once with an embedding; as `Transcribe` otherwise."""
        name, version = await convert.read_config(request_iterator)
        with self._transcriber.streams.enter():
            record = await self._registry.resolve(name, version)
            async with self._registry.use_encoder(record) as encoder:
                start = convert.to_embed_start(record, encoder.dimension)
                yield predictor_pb2.EmbedTextResponse(start=start)
                texts = convert.read_texts(request_iterator)
                async with aclosing(embed_texts(encoder, texts, self._texts_in_flight)) as answers:
                    async for answer in answers:
                        yield convert.to_text_answer(answer)

    async def Recognize(
        self, request: predictor_pb2.RecognizeRequest, context: _Context
    ) -> predictor_pb2.RecognizeResponse:
        """Transcribe one short recording."""
        detail = convert_words.from_detail(request.detail)
        remaining_s = context.time_remaining()
        timeout_s = self._default_timeout_s if remaining_s is None else remaining_s
        with self._transcriber.calls.enter():
            record = await self._registry.resolve(*convert.named_version(request))
            asked = Asked(wish=Wish(), beam=convert.beam_options(request), detail=detail)
            async with self._opened(record, asked) as (model, beam):
                transcript = await self._transcriber.recognize(model, request.audio, timeout_s, beam, detail)
        return predictor_pb2.RecognizeResponse(
            transcript=convert_words.to_transcript(transcript), model=convert.to_model_version(record)
        )

    async def StreamingRecognize(
        self, request_iterator: AsyncIterator[predictor_pb2.StreamingRecognizeRequest], context: _Context
    ) -> AsyncIterator[predictor_pb2.StreamingRecognizeResponse]:
        """Transcribe live audio; a stream too many is refused before any of its audio is read."""
        with self._listener.streams.enter():
            message = await self._listener.first(convert_live.read_config(request_iterator))
            config = convert_live.from_config(message)
            self._listener.check(config)
            record = await self._registry.resolve(*convert.named_version(message))
            async with self._registry.use(record) as model:
                dictation = self._listener.listen(model, config)
                yield convert_live.to_start(record)
                parts = convert_live.read_parts(request_iterator)
                async with aclosing(dictation.results(parts)) as heard:
                    async for results in heard:
                        yield convert_live.to_response(results)

    async def LoadModel(
        self, request: predictor_pb2.LoadModelRequest, context: _Context
    ) -> predictor_pb2.LoadModelResponse:
        """Load a model before it is needed."""
        status = await self._registry.load(*convert.named_version(request), convert.precision(request))
        return predictor_pb2.LoadModelResponse(model=convert.to_loaded_model(status))

    async def UnloadModel(
        self, request: predictor_pb2.UnloadModelRequest, context: _Context
    ) -> predictor_pb2.UnloadModelResponse:
        """Unload a model once its statements have ended."""
        unloaded = await self._registry.unload(*convert.named_version(request))
        return predictor_pb2.UnloadModelResponse(versions_unloaded=unloaded)

    async def ListLoadedModels(
        self, request: predictor_pb2.ListLoadedModelsRequest, context: _Context
    ) -> predictor_pb2.ListLoadedModelsResponse:
        """List the models in memory, and those that failed to get there."""
        return convert.to_page(self._registry.statuses(), request)

    async def GetStatistics(
        self, request: predictor_pb2.GetStatisticsRequest, context: _Context
    ) -> predictor_pb2.GetStatisticsResponse:
        """Counts and times since the start."""
        return convert.to_statistics(self._statistics.snapshot(request.model))

    @asynccontextmanager
    async def _opened(self, record: ModelRecord, asked: Asked) -> AsyncIterator[tuple[Hearing, Beam | None]]:
        async with self._registry.use_any_hearing(record) as model:
            hearing = hears_as(model, asked)
            if not isinstance(model, LoadedModel):
                yield hearing, None
                return
            vocabulary = model.acoustics.vocabulary
            async with self._beams.opened(asked.beam, vocabulary, asked.detail.n_best) as beam:
                yield hearing, beam
