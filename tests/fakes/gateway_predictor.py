"""A predictor that answers when, in which order and how a test says."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf import duration_pb2

from tests.fakes.gateway_peer import FakeService
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, types_pb2
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.status import to_status

MAX_DELAY_S = 0.01

MODEL = types_pb2.ModelVersion(name="tutorial_audio_recognition", version=1, active=True)


class FakePredictor(FakeService, predictor_pb2_grpc.PredictorServiceServicer):
    """Hears `heard <path>`; paths in `failures` fail with their error.

    Every word lasts a second and has a confidence of a half; readings differ in a number behind the text.

    Embeddings lie in a plane: the angle is that in `angles`, or the length of the path. They have two numbers
    or as many as `dimensions` says of the model.

    Of the paths in `kept`, transcripts are kept from before; `reuse_asked` has what each stream asked for.

    `configs` are those of the calls to transcribe; language models in `language_models_at_fault` fail with
    their error. `in_flight` are the rows that wait, `most_in_flight` the most that ever did.
    """

    name = "PredictorService"
    add_to_server = staticmethod(predictor_pb2_grpc.add_PredictorServiceServicer_to_server)

    def __init__(self) -> None:
        self.models = {"tutorial_audio_recognition": MODEL}
        self.failures: dict[str, ThanosqlError] = {}
        self.hear: Callable[[str], str] = lambda path: f"heard {path}"
        self.angles: dict[str, float] = {}
        self.dimensions: dict[str, int] = {}
        self.hold = 1
        self.rows_seen: list[str] = []
        self.configs: list[predictor_pb2.TranscribeConfig] = []
        self.language_models_at_fault: dict[str, ThanosqlError] = {}
        self.most_in_flight = 0
        self.open_streams = 0
        self.streams_begun = 0
        self.random = random.Random(7)
        self.fail_stream_after: int | None = None
        self.hang = False
        self.precisions: list[int] = []
        self.wishes: list[tuple[str, bool]] = []
        self.notice = ""
        self.kept: set[str] = set()
        self.reuse_asked: list[bool] = []

    async def Transcribe(
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[predictor_pb2.TranscribeResponse]:
        self.open_streams += 1
        self.streams_begun += 1
        try:
            async for response in self._answers(request_iterator):
                yield response
        finally:
            self.open_streams -= 1

    async def _answers(self, requests: Any) -> AsyncIterator[predictor_pb2.TranscribeResponse]:
        config = await anext(aiter(requests))
        self.configs.append(config.config)
        self.precisions.append(config.config.precision)
        self.wishes.append((config.config.language, config.config.translate))
        self.reuse_asked.append(config.config.reuse)
        if config.config.beam_search.language_model in self.language_models_at_fault:
            raise self.language_models_at_fault[config.config.beam_search.language_model]
        yield predictor_pb2.TranscribeResponse(model=self._model(config.config.model), notice=self.notice)
        waiting: list[predictor_pb2.TranscribeRow] = []
        arriving: asyncio.Task[Any] | None = asyncio.create_task(self._next(requests))
        try:
            while arriving or waiting:
                # Like a batcher: full, or as much as came within a short time.
                full = len(waiting) >= self.hold or not arriving
                if waiting and not self.hang and (full or not await _comes(arriving)):
                    row = waiting.pop(self.random.randrange(len(waiting)))
                    yield self._answer(row, config.config.detail)
                elif arriving:
                    came = await arriving
                    arriving = asyncio.create_task(self._next(requests)) if came else None
                    waiting.extend([came] if came else [])
                    self.most_in_flight = max(self.most_in_flight, len(waiting))
                else:
                    await asyncio.Event().wait()
        finally:
            if arriving:
                arriving.cancel()

    async def _next(self, requests: Any) -> predictor_pb2.TranscribeRow | None:
        async for request in requests:
            self.rows_seen.append(request.row.audio_path)
            if len(self.rows_seen) == self.fail_stream_after:
                raise error(Reason.STORE_UNAVAILABLE, "the object store is gone")
            row: predictor_pb2.TranscribeRow = request.row
            return row
        return None

    def _model(self, name: str) -> types_pb2.ModelVersion:
        if name not in self.models:
            raise error(Reason.MODEL_NOT_FOUND, f"model '{name}' does not exist", model=name)
        return self.models[name]

    def _answer(
        self, row: predictor_pb2.TranscribeRow, detail: types_pb2.TranscriptDetail
    ) -> predictor_pb2.TranscribeResponse:
        is_kept = self.reuse_asked[-1] and row.audio_path in self.kept
        result = predictor_pb2.TranscribeResult(row_key=row.row_key, reused=is_kept, is_new=not is_kept)
        if row.audio_path in self.failures:
            result.status.CopyFrom(to_status(self.failures[row.audio_path]))
        else:
            text = self.hear(row.audio_path)
            _tell(result.transcript, text, detail)
            texts = [text, *(f"{text} {number}" for number in range(1, detail.n_best))]
            for one in texts if detail.n_best > 1 else ():
                _tell(result.transcript.alternatives.add(), one, detail)
            result.transcript.audio_duration.CopyFrom(duration_pb2.Duration(seconds=2))
        return predictor_pb2.TranscribeResponse(result=result)

    async def Embed(self, request_iterator: Any, context: Any) -> AsyncIterator[predictor_pb2.EmbedResponse]:
        self.streams_begun += 1
        requests = aiter(request_iterator)
        model = self._model((await anext(requests)).config.model)
        dimension = self.dimensions.get(model.name, 2)
        yield predictor_pb2.EmbedResponse(start=predictor_pb2.EmbedStart(model=model, dimension=dimension))
        rows = [request.row async for request in requests]
        self.rows_seen += [row.audio_path for row in rows]
        self.random.shuffle(rows)
        for row in rows:
            yield predictor_pb2.EmbedResponse(result=self._embedding(row, dimension))

    async def EmbedText(
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[predictor_pb2.EmbedTextResponse]:
        self.streams_begun += 1
        requests = aiter(request_iterator)
        model = self._model((await anext(requests)).config.model)
        if model.family != types_pb2.MODEL_FAMILY_TEXT_ENCODER:
            raise error(Reason.INVALID_CHECKPOINT, f"model '{model.name}' reads no texts", model=model.name)
        start = predictor_pb2.EmbedStart(model=model, dimension=self.dimensions.get(model.name, 2))
        yield predictor_pb2.EmbedTextResponse(start=start)
        rows = [request.row async for request in requests]
        self.rows_seen += [row.text for row in rows]
        self.random.shuffle(rows)
        for row in rows:
            result = self._embedded(row.row_key, row.text, start.dimension)
            yield predictor_pb2.EmbedTextResponse(result=result)

    def _embedding(self, row: predictor_pb2.EmbedRow, dimension: int) -> predictor_pb2.EmbedResult:
        result = self._embedded(row.row_key, row.audio_path, dimension)
        if result.HasField("embedding"):
            result.embedding.audio_duration.CopyFrom(duration_pb2.Duration(seconds=2))
        return result

    def _embedded(self, key: int, content: str, dimension: int) -> predictor_pb2.EmbedResult:
        result = predictor_pb2.EmbedResult(row_key=key)
        if content in self.failures:
            result.status.CopyFrom(to_status(self.failures[content]))
        else:
            angle = self.angles.get(content, float(len(content)))
            result.embedding.values.extend([math.cos(angle), math.sin(angle), *[0.0] * (dimension - 2)])
        return result

    async def Recognize(self, request: Any, context: Any) -> Any:
        raise error(Reason.INTERNAL, "the gateway never calls this")

    async def StreamingRecognize(
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[predictor_pb2.StreamingRecognizeResponse]:
        """Hears `N bytes` in every message of N bytes, as a final result at a wish for an end."""
        self.open_streams += 1
        try:
            requests = aiter(request_iterator)
            model = self._model((await anext(requests)).config.model)
            yield predictor_pb2.StreamingRecognizeResponse(model=model)
            async for request in requests:
                if len(request.audio) == self.fail_stream_after:
                    raise error(Reason.STORE_UNAVAILABLE, "the object store is gone")
                is_final = request.HasField("finalize")
                text = "the end" if is_final else f"{len(request.audio)} bytes"
                result = predictor_pb2.StreamingResult(text=text, is_final=is_final, stability=0.6)
                yield predictor_pb2.StreamingRecognizeResponse(results=[result])
        finally:
            self.open_streams -= 1

    async def LoadModel(self, request: Any, context: Any) -> Any:
        raise error(Reason.INTERNAL, "the gateway never calls this")

    async def UnloadModel(self, request: Any, context: Any) -> Any:
        raise error(Reason.INTERNAL, "the gateway never calls this")

    async def ListLoadedModels(self, request: Any, context: Any) -> Any:
        raise error(Reason.INTERNAL, "the gateway never calls this")

    async def GetStatistics(self, request: Any, context: Any) -> Any:
        raise error(Reason.INTERNAL, "the gateway never calls this")


async def _comes(arriving: "asyncio.Task[Any] | None") -> bool:
    return bool(arriving and (await asyncio.wait([arriving], timeout=MAX_DELAY_S))[0])


def _tell(
    reading: predictor_pb2.Transcript | types_pb2.Alternative, text: str, detail: types_pb2.TranscriptDetail
) -> None:
    reading.text = text
    if detail.confidence:
        reading.confidence = 0.5
    for second, word in enumerate(text.split() if detail.word_times else ()):
        reading.words.add(
            text=word,
            start_offset=duration_pb2.Duration(seconds=second),
            end_offset=duration_pb2.Duration(seconds=second + 1),
            confidence=0.5 if detail.confidence else None,
        )
