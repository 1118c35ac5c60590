"""The calls of TrainerService: convert, ask core, convert back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from services.trainer.convert import (
    comparisons_to_message,
    evaluated_to_message,
    job_to_message,
    model_to_message,
    page_to_message,
    request_from_message,
    scored_row_from_message,
    text_pairs_from_message,
    upload_from_message,
)
from services.trainer.convert_evaluations import (
    evaluation_from_message,
    evaluations_to_message,
    number_of_token,
)
from services.trainer.core.differences import compare_rows
from services.trainer.core.evaluation import Evaluation, ScoredRow
from services.trainer.core.evaluations import Evaluations
from services.trainer.core.jobs import Jobs
from services.trainer.core.uploading.uploads import Uploads
from thanosql.v1 import trainer_pb2, trainer_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]
_ROWS_AT_ONCE = 64


class TrainerServicer(trainer_pb2_grpc.TrainerServiceServicer):
    """See trainer.proto."""

    def __init__(self, jobs: Jobs, uploads: Uploads, evaluations: Evaluations) -> None:
        self._evaluations = evaluations
        self._jobs = jobs
        self._uploads = uploads

    async def CreateTrainingJob(
        self, request: trainer_pb2.CreateTrainingJobRequest, context: _Context
    ) -> trainer_pb2.CreateTrainingJobResponse:
        """Start a job and answer at once."""
        job = await self._jobs.create(request_from_message(request))
        return trainer_pb2.CreateTrainingJobResponse(job=job_to_message(job))

    async def GetTrainingJob(
        self, request: trainer_pb2.GetTrainingJobRequest, context: _Context
    ) -> trainer_pb2.GetTrainingJobResponse:
        """Describe a job."""
        return trainer_pb2.GetTrainingJobResponse(job=job_to_message(self._jobs.get(request.job_id)))

    async def ListTrainingJobs(
        self, request: trainer_pb2.ListTrainingJobsRequest, context: _Context
    ) -> trainer_pb2.ListTrainingJobsResponse:
        """List jobs, newest first."""
        jobs, token = self._jobs.page(request.page_size, request.page_token)
        return page_to_message(jobs, token)

    async def WatchTrainingJob(
        self, request: trainer_pb2.WatchTrainingJobRequest, context: _Context
    ) -> AsyncIterator[trainer_pb2.WatchTrainingJobResponse]:
        """Send the job at every change until it has ended."""
        async with aclosing(self._jobs.watch(request.job_id, request.after_sequence)) as jobs:
            async for job in jobs:
                yield trainer_pb2.WatchTrainingJobResponse(job=job_to_message(job))

    async def CancelTrainingJob(
        self, request: trainer_pb2.CancelTrainingJobRequest, context: _Context
    ) -> trainer_pb2.CancelTrainingJobResponse:
        """Stop a job."""
        job = await self._jobs.cancel(request.job_id)
        return trainer_pb2.CancelTrainingJobResponse(job=job_to_message(job))

    async def ResumeTrainingJob(
        self, request: trainer_pb2.ResumeTrainingJobRequest, context: _Context
    ) -> trainer_pb2.ResumeTrainingJobResponse:
        """Let an ended job go on."""
        job = await self._jobs.resume(request.job_id, explain_only=request.explain_only)
        return trainer_pb2.ResumeTrainingJobResponse(job=job_to_message(job))

    async def Evaluate(
        self, request_iterator: AsyncIterator[trainer_pb2.EvaluateRequest], context: _Context
    ) -> trainer_pb2.EvaluateResponse:
        """Count the errors of transcripts; the counting leaves the loop."""
        evaluation, rows = Evaluation(), list[ScoredRow]()
        async for request in request_iterator:
            rows.append(scored_row_from_message(request))
            if len(rows) == _ROWS_AT_ONCE:
                await asyncio.to_thread(evaluation.add, rows)
                rows.clear()
        await asyncio.to_thread(evaluation.add, rows)
        return evaluated_to_message(await asyncio.to_thread(evaluation.evaluated))

    async def RecordEvaluation(
        self, request: trainer_pb2.RecordEvaluationRequest, context: _Context
    ) -> trainer_pb2.RecordEvaluationResponse:
        """Keep what an evaluation gave."""
        await self._evaluations.record(evaluation_from_message(request, time.time()))
        return trainer_pb2.RecordEvaluationResponse()

    async def ListEvaluations(
        self, request: trainer_pb2.ListEvaluationsRequest, context: _Context
    ) -> trainer_pb2.ListEvaluationsResponse:
        """List evaluations, newest first."""
        before = number_of_token(request.page_token)
        page = self._evaluations.page(request.model, request.version, request.page_size, before)
        return evaluations_to_message(*page)

    async def CompareTexts(
        self, request: trainer_pb2.CompareTextsRequest, context: _Context
    ) -> trainer_pb2.CompareTextsResponse:
        """Compare pairs of texts; the comparing leaves the loop."""
        pairs = text_pairs_from_message(request)
        return comparisons_to_message(await asyncio.to_thread(compare_rows, pairs))

    async def UploadModel(
        self, request: trainer_pb2.UploadModelRequest, context: _Context
    ) -> trainer_pb2.UploadModelResponse:
        """Bring a checkpoint; a caller who leaves before it is registered leaves nothing behind."""
        model = await self._uploads.upload(upload_from_message(request))
        return trainer_pb2.UploadModelResponse(model=model_to_message(model))
