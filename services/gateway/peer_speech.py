"""The trainer and the predictor, behind the ports that core defines."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from services.gateway import convert, convert_scores, convert_upkeep
from services.gateway.convert_plans import precision_number, training_options
from services.gateway.convert_words import to_detail
from services.gateway.core.comparisons import TextComparison, TextPair
from services.gateway.core.pipes import Pipe
from services.gateway.core.plan_parts import Detail
from services.gateway.core.plans import AS_SPOKEN, BeamSearch, SpeechWish
from services.gateway.core.ports import SendRow, TrainingRequest, UploadRequest
from services.gateway.core.records import (
    Embedding,
    Evaluated,
    InputRow,
    LoadedModel,
    ModelVersion,
    RowAnswer,
    ScoredRow,
    TrainingJob,
    Transcription,
)
from services.gateway.core.score_columns import EvaluationRecord
from services.gateway.peer_streams import REQUESTS_AHEAD, Feed, answer, answers, first, pages, peer_call
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, trainer_pb2, trainer_pb2_grpc, types_pb2

_PAGE = 1000
# Large checkpoints are copied, read and compared, one after another.
_UPLOAD_S = 3600.0
_TEXT_ALONE = Detail()


class TrainerPeer:
    """Training jobs, scores, and models that users bring."""

    def __init__(self, stub: "trainer_pb2_grpc.TrainerServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def create(self, request: TrainingRequest) -> TrainingJob:
        """See `Trainer.create`."""
        message = trainer_pb2.CreateTrainingJobRequest(
            request_id=request.request_id,
            model=request.model,
            base=request.base,
            options=training_options(request.options),
            snapshot_id=request.snapshot_id,
            statement=request.statement,
            built_from=[
                types_pb2.TableVersion(table=item.table, version=item.version) for item in request.built_from
            ],
        )
        with peer_call("trainer"):
            return convert.job((await self._stub.CreateTrainingJob(message, timeout=self._timeout_s)).job)

    async def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[TrainingJob]:
        """See `Trainer.watch`."""
        request = trainer_pb2.WatchTrainingJobRequest(job_id=job_id, after_sequence=after_sequence)
        # No deadline, as in `PredictorPeer.transcribe`.
        async for message in answers(self._stub.WatchTrainingJob(request), "trainer"):
            yield convert.job(message.job)

    async def get(self, job_id: str) -> TrainingJob:
        """See `Trainer.get`."""
        request = trainer_pb2.GetTrainingJobRequest(job_id=job_id)
        with peer_call("trainer"):
            return convert.job((await self._stub.GetTrainingJob(request, timeout=self._timeout_s)).job)

    async def pages(self) -> AsyncIterator[Sequence[TrainingJob]]:
        """See `Trainer.pages`."""
        request = trainer_pb2.ListTrainingJobsRequest(page_size=_PAGE)
        async for page in pages(self._stub.ListTrainingJobs, request, "trainer", self._timeout_s):
            yield [convert.job(message) for message in page.jobs]

    async def resume(self, job_id: str, *, explain_only: bool = False) -> TrainingJob:
        """See `Trainer.resume`."""
        request = trainer_pb2.ResumeTrainingJobRequest(job_id=job_id, explain_only=explain_only)
        with peer_call("trainer"):
            return convert.job((await self._stub.ResumeTrainingJob(request, timeout=self._timeout_s)).job)

    async def cancel(self, job_id: str) -> TrainingJob:
        """See `Trainer.cancel`."""
        request = trainer_pb2.CancelTrainingJobRequest(job_id=job_id)
        with peer_call("trainer"):
            return convert.job((await self._stub.CancelTrainingJob(request, timeout=self._timeout_s)).job)

    async def evaluate(self, rows: AsyncIterator[ScoredRow]) -> Evaluated:
        """See `Trainer.evaluate`."""
        feed: Feed = Pipe(REQUESTS_AHEAD)
        # No deadline, as in `PredictorPeer.transcribe`.
        async with feed.fed_by(partial(_send_scored, rows, feed.put)):
            response = await answer(self._stub.Evaluate(feed.items()), "trainer", feed)
        return Evaluated(
            total=convert.scores(response.scores),
            slices={item.slice: convert.scores(item.scores) for item in response.slices},
        )

    async def record(self, request_id: str, evaluation: EvaluationRecord) -> None:
        """See `Trainer.record`."""
        message = trainer_pb2.RecordEvaluationRequest(
            request_id=request_id, evaluation=convert_scores.evaluation_message(evaluation)
        )
        with peer_call("trainer"):
            await self._stub.RecordEvaluation(message, timeout=self._timeout_s)

    async def evaluations(self, model: str, version: int) -> AsyncIterator[list[EvaluationRecord]]:
        """See `Trainer.evaluations`."""
        request = trainer_pb2.ListEvaluationsRequest(model=model, version=version)
        async for page in pages(self._stub.ListEvaluations, request, "trainer", self._timeout_s):
            yield [convert_scores.evaluation(message) for message in page.evaluations]

    async def compare(self, pairs: Sequence[TextPair]) -> Sequence[TextComparison]:
        """See `Trainer.compare`."""
        message = trainer_pb2.CompareTextsRequest(
            pairs=[
                trainer_pb2.TextPair(reference=pair.reference, hypothesis=pair.hypothesis) for pair in pairs
            ]
        )
        with peer_call("trainer"):
            response = await self._stub.CompareTexts(message, timeout=self._timeout_s)
        return [convert_scores.comparison(item) for item in response.comparisons]

    async def upload(self, request: UploadRequest) -> ModelVersion:
        """See `Trainer.upload`."""
        message = trainer_pb2.UploadModelRequest(
            request_id=request.request_id,
            model=request.model,
            path=request.path,
            overwrite=request.overwrite,
            statement=request.statement,
            explain_only=request.explain_only,
        )
        with peer_call("trainer"):
            return convert.model((await self._stub.UploadModel(message, timeout=_UPLOAD_S)).model)


class PredictorPeer:
    """Speech to text, and both to embeddings."""

    def __init__(self, stub: "predictor_pb2_grpc.PredictorServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def loaded(self) -> Sequence[LoadedModel]:
        """See `Predictor.loaded`."""
        with peer_call("predictor"):
            told = await self._stub.GetStatistics(
                predictor_pb2.GetStatisticsRequest(), timeout=self._timeout_s
            )
        counts = {(item.model, item.version): item for item in told.models}
        request = predictor_pb2.ListLoadedModelsRequest(page_size=_PAGE)
        return [
            convert_upkeep.loaded_model(item, counts.get((item.model, item.version)))
            async for page in pages(self._stub.ListLoadedModels, request, "predictor", self._timeout_s)
            for item in page.models
        ]

    async def unload(self, model: str, version: int) -> int:
        """See `Predictor.unload`."""
        request = predictor_pb2.UnloadModelRequest(model=model, version=version)
        with peer_call("predictor"):
            # No deadline: it waits for statements, as long as these take, unless its caller leaves.
            return (await self._stub.UnloadModel(request)).versions_unloaded

    @asynccontextmanager
    async def transcribe(  # noqa: PLR0913 - what a statement may ask, each by name
        self,
        precision: str,
        model: str,
        version: int,
        send_rows: Callable[[SendRow], Awaitable[None]],
        *,
        reuse: bool = False,
        beam: BeamSearch | None = None,
        detail: Detail = _TEXT_ALONE,
        wish: SpeechWish = AS_SPOKEN,
    ) -> AsyncIterator[Transcription]:
        """See `Predictor.transcribe`."""
        config = predictor_pb2.TranscribeConfig(
            model=model,
            version=version,
            precision=precision_number(precision),
            reuse=reuse,
            beam_search=_beam_search(beam),
            detail=to_detail(detail),
            language=wish.language,
            translate=wish.translate,
        )
        rows = _Rows(predictor_pb2.TranscribeRequest(config=config), send_rows, _to_transcribe)
        async with _answered(self._stub.Transcribe, rows) as messages:
            opened = await first(messages, "predictor")
            yield Transcription(
                model=convert.model(opened.model), answers=_row_answers(messages), notice=opened.notice
            )

    @asynccontextmanager
    async def embed(
        self, model: str, version: int, send_rows: Callable[[SendRow], Awaitable[None]]
    ) -> AsyncIterator[Embedding]:
        """See `Predictor.embed`."""
        config = predictor_pb2.EmbedConfig(model=model, version=version)
        rows = _Rows(predictor_pb2.EmbedRequest(config=config), send_rows, _to_embed)
        async with _answered(self._stub.Embed, rows) as messages:
            yield await _embedding(messages)

    @asynccontextmanager
    async def embed_texts(
        self, model: str, version: int, send_rows: Callable[[SendRow], Awaitable[None]]
    ) -> AsyncIterator[Embedding]:
        """See `Predictor.embed_texts`."""
        config = predictor_pb2.EmbedTextConfig(model=model, version=version)
        rows = _Rows(predictor_pb2.EmbedTextRequest(config=config), send_rows, _to_embed_text)
        async with _answered(self._stub.EmbedText, rows) as messages:
            yield await _embedding(messages)


class _Rows:
    """The requests of one call.

    Args:
        first: Names the model.
        send_rows: Sends the rows.
        to_request: Makes a request of one.
    """

    # Any: a request may be of any message; gRPC's own types do not tie it to its call.
    def __init__(
        self,
        first: Any,
        send_rows: Callable[[SendRow], Awaitable[None]],
        to_request: Callable[[InputRow], Any],
    ) -> None:
        self._first = first
        self._send_rows = send_rows
        self._to_request = to_request

    async def send(self, feed: Feed) -> None:
        """Put all of them into a feed."""

        async def send(row: InputRow) -> None:
            await feed.put(self._to_request(row))

        await feed.put(self._first)
        await self._send_rows(send)


@asynccontextmanager
async def _answered(
    call_of: Callable[[AsyncIterator[Any]], Any], rows: _Rows
) -> AsyncIterator[AsyncIterator[Any]]:
    """The answers of a call to the predictor, to which the rows are sent meanwhile."""
    feed: Feed = Pipe(REQUESTS_AHEAD)
    async with feed.fed_by(partial(rows.send, feed)):
        # The one exception to "every call has a deadline", here and in `Evaluate` and `WatchTrainingJob`:
        # nobody knows how long the rows take, hours on a large table. A caller who leaves cancels the
        # call, and a peer that died is found by the keepalive of the channel.
        call = call_of(feed.items())
        try:
            yield answers(call, "predictor", feed)
        finally:
            call.cancel()


async def _embedding(
    messages: AsyncIterator[predictor_pb2.EmbedResponse | predictor_pb2.EmbedTextResponse],
) -> Embedding:
    opened = (await first(messages, "predictor")).start
    return Embedding(
        model=convert.model(opened.model), dimension=opened.dimension, answers=_embed_answers(messages)
    )


def _beam_search(beam: BeamSearch | None) -> types_pb2.BeamSearch | None:
    if beam is None:
        return None
    return types_pb2.BeamSearch(
        language_model=beam.language_model,
        lm_weight=beam.lm_weight,
        word_score=beam.word_score,
        beam_width=beam.beam_width,
        hotwords=[types_pb2.Hotword(phrase=phrase, weight=weight) for phrase, weight in beam.hotwords],
    )


def _to_transcribe(row: InputRow) -> predictor_pb2.TranscribeRequest:
    return predictor_pb2.TranscribeRequest(
        row=predictor_pb2.TranscribeRow(row_key=row.key, audio_path=row.content)
    )


def _to_embed(row: InputRow) -> predictor_pb2.EmbedRequest:
    return predictor_pb2.EmbedRequest(row=predictor_pb2.EmbedRow(row_key=row.key, audio_path=row.content))


def _to_embed_text(row: InputRow) -> predictor_pb2.EmbedTextRequest:
    return predictor_pb2.EmbedTextRequest(row=predictor_pb2.EmbedTextRow(row_key=row.key, text=row.content))


async def _row_answers(messages: AsyncIterator[predictor_pb2.TranscribeResponse]) -> AsyncIterator[RowAnswer]:
    async for message in messages:
        yield convert.row_answer(message.result)


async def _embed_answers(
    messages: AsyncIterator[predictor_pb2.EmbedResponse | predictor_pb2.EmbedTextResponse],
) -> AsyncIterator[RowAnswer]:
    async for message in messages:
        yield convert.embed_answer(message.result)


async def _send_scored(
    rows: AsyncIterator[ScoredRow], put: Callable[[trainer_pb2.EvaluateRequest], Awaitable[None]]
) -> None:
    async for row in rows:
        await put(
            trainer_pb2.EvaluateRequest(
                reference=row.reference,
                hypothesis=row.hypothesis,
                audio_s=row.audio_s,
                failed=row.failed,
                slice=row.slice,
                group=row.group,
            )
        )
