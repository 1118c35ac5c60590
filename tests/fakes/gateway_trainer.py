"""A trainer whose jobs go through the states that a test scripts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.fakes.gateway_peer import FakeService
from thanosql.v1 import errors_pb2, trainer_pb2, trainer_pb2_grpc, types_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.status import to_status

_State = trainer_pb2.TrainingJob


class FakeTrainer(FakeService, trainer_pb2_grpc.TrainerServiceServicer):
    """Jobs by id; `hang` keeps them in training until they are cancelled."""

    name = "TrainerService"
    add_to_server = staticmethod(trainer_pb2_grpc.add_TrainerServiceServicer_to_server)

    def __init__(self) -> None:
        self.jobs: dict[str, trainer_pb2.TrainingJob] = {}
        self.requests: list[trainer_pb2.CreateTrainingJobRequest] = []
        self.scored: list[trainer_pb2.EvaluateRequest] = []
        self.compared_at_once: list[int] = []
        self.evaluations: dict[str, trainer_pb2.EvaluationRecord] = {}
        self.keeps_nothing = False
        self.cancelled: list[str] = []
        self.watchers = 0
        self.hang = False
        self.starting = 0
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.fails_with: tuple[Any, str] | None = None
        self.refuses_with: Exception | None = None
        self.breaks_watch_after = 0
        self.left_out: list[types_pb2.RowError] = []
        self.uploads: list[trainer_pb2.UploadModelRequest] = []

    async def CreateTrainingJob(self, request: Any, context: Any) -> trainer_pb2.CreateTrainingJobResponse:
        if self.refuses_with is not None:
            raise self.refuses_with
        self.starting += 1
        await self.may_start.wait()
        job_id = f"job-{request.request_id}"
        self.requests.append(request)
        self.jobs[job_id] = trainer_pb2.TrainingJob(
            job_id=job_id,
            sequence=1,
            state=_State.STATE_QUEUED,
            model=request.model,
            base=request.base,
            statement=request.statement,
        )
        return trainer_pb2.CreateTrainingJobResponse(job=self.jobs[job_id])

    def _job(self, job_id: str) -> trainer_pb2.TrainingJob:
        if job_id not in self.jobs:
            raise error(Reason.JOB_NOT_FOUND, f"no job '{job_id}'", job=job_id)
        return self.jobs[job_id]

    async def GetTrainingJob(self, request: Any, context: Any) -> trainer_pb2.GetTrainingJobResponse:
        return trainer_pb2.GetTrainingJobResponse(job=self._job(request.job_id))

    async def ListTrainingJobs(self, request: Any, context: Any) -> trainer_pb2.ListTrainingJobsResponse:
        ids = [job_id for job_id in sorted(self.jobs) if job_id > request.page_token]
        size = min(request.page_size or 100, 2)
        token = ids[size - 1] if len(ids) > size else ""
        jobs = [self.jobs[job_id] for job_id in ids[:size]]
        return trainer_pb2.ListTrainingJobsResponse(jobs=jobs, next_page_token=token)

    async def WatchTrainingJob(
        self, request: Any, context: Any
    ) -> AsyncIterator[trainer_pb2.WatchTrainingJobResponse]:
        job = self._job(request.job_id)
        self.watchers += 1
        try:
            async for change in self._changes(job):
                if change.sequence > request.after_sequence:
                    yield trainer_pb2.WatchTrainingJobResponse(job=change)
                if self.breaks_watch_after == change.sequence:
                    self.breaks_watch_after = 0
                    raise error(Reason.PEER_UNAVAILABLE, "the connection broke")
        finally:
            self.watchers -= 1

    async def _changes(self, job: trainer_pb2.TrainingJob) -> AsyncIterator[trainer_pb2.TrainingJob]:
        yield job
        job.MergeFrom(
            trainer_pb2.TrainingJob(
                state=_State.STATE_TRAINING, sequence=2, step=5, step_total=10, epoch=1, epoch_total=1
            )
        )
        job.loss = 2.5
        yield job
        if self.hang:
            await asyncio.Event().wait()
        self._end(job)
        yield job

    def _end(self, job: trainer_pb2.TrainingJob) -> None:
        job.sequence = 3
        if self.fails_with is not None:
            job.state = _State.STATE_FAILED
            job.failure_reason, job.failure_message = self.fails_with
            return
        job.state = _State.STATE_SUCCEEDED
        job.wer_before, job.wer, job.cer = 0.9, 0.4, 0.2
        job.rows_used, job.rows_held_out, job.rows_left_out = 8, 2, len(self.left_out)
        del job.left_out[:]
        job.left_out.extend(self.left_out)
        job.result.CopyFrom(types_pb2.ModelVersion(name=job.model, version=1, active=True))

    async def CancelTrainingJob(self, request: Any, context: Any) -> trainer_pb2.CancelTrainingJobResponse:
        job = self._job(request.job_id)
        self.cancelled.append(request.job_id)
        job.state = _State.STATE_CANCELLED
        return trainer_pb2.CancelTrainingJobResponse(job=job)

    async def ResumeTrainingJob(self, request: Any, context: Any) -> trainer_pb2.ResumeTrainingJobResponse:
        job = self._job(request.job_id)
        if job.state == _State.STATE_SUCCEEDED:
            raise error(Reason.INVALID_ARGUMENT, "it has succeeded")
        if request.explain_only or job.state == _State.STATE_TRAINING:
            return trainer_pb2.ResumeTrainingJobResponse(job=job)
        job.state = _State.STATE_QUEUED
        job.notices.add(message="the job was resumed, and goes on from its checkpoint at step 3")
        return trainer_pb2.ResumeTrainingJobResponse(job=job)

    async def UploadModel(self, request: Any, context: Any) -> trainer_pb2.UploadModelResponse:
        if self.refuses_with is not None:
            raise self.refuses_with
        self.uploads.append(request)
        model = types_pb2.ModelVersion(
            name=request.model,
            version=0 if request.explain_only else 1,
            kind=types_pb2.MODEL_KIND_UPLOADED,
            artefacts=[types_pb2.Artefact(name="model.safetensors", size_bytes=4_096)],
            properties={"architecture": "hubert", "labels": "32", "sample_rate_hz": "16000"},
        )
        if not request.explain_only:
            model.properties["parameters"] = "94000000"
        return trainer_pb2.UploadModelResponse(model=model)

    async def Evaluate(self, request_iterator: Any, context: Any) -> trainer_pb2.EvaluateResponse:
        rows = [request async for request in request_iterator]
        self.scored.extend(rows)
        numbers = sorted({row.slice for row in rows if row.HasField("slice")})
        slices = [
            trainer_pb2.SliceScores(
                slice=number, scores=_scores([row for row in rows if row.slice == number])
            )
            for number in numbers
        ]
        return trainer_pb2.EvaluateResponse(scores=_scores(rows), slices=slices)

    async def RecordEvaluation(self, request: Any, context: Any) -> trainer_pb2.RecordEvaluationResponse:
        if self.keeps_nothing:
            raise error(Reason.STORE_UNAVAILABLE, "the disk is full")
        self.evaluations[request.request_id] = request.evaluation
        return trainer_pb2.RecordEvaluationResponse()

    async def ListEvaluations(self, request: Any, context: Any) -> trainer_pb2.ListEvaluationsResponse:
        kept = [item for item in self.evaluations.values() if request.model in ("", item.model)]
        return trainer_pb2.ListEvaluationsResponse(evaluations=reversed(kept))

    async def CompareTexts(self, request: Any, context: Any) -> trainer_pb2.CompareTextsResponse:
        assert len(request.pairs) <= 64
        self.compared_at_once.append(len(request.pairs))
        return trainer_pb2.CompareTextsResponse(comparisons=[_comparison(pair) for pair in request.pairs])


def _scores(rows: list[trainer_pb2.EvaluateRequest]) -> types_pb2.Scores:
    used = [row for row in rows if not row.failed]
    wrong = sum(row.reference != row.hypothesis for row in used)
    wer = wrong / len(used) if used else 0.0
    return types_pb2.Scores(
        wer=wer,
        cer=0.1,
        substitutions=wrong,
        reference_words=sum(len(row.reference.split()) for row in used),
        rows=len(used),
        rows_left_out=len(rows) - len(used),
        audio_s=sum(row.audio_s for row in used),
        normaliser="none",
        wer_low=wer / 2 if len(used) > 1 else None,
        wer_high=wer * 2 if len(used) > 1 else None,
    )


def _comparison(pair: trainer_pb2.TextPair) -> trainer_pb2.TextComparison:
    if pair.reference == "...":
        return trainer_pb2.TextComparison(status=to_status(error(Reason.TEXT_EMPTY, "no word")))
    wrong = pair.reference != pair.hypothesis
    words, characters = len(pair.reference.split()), len(pair.reference)
    return trainer_pb2.TextComparison(
        substitutions=words if wrong else 0,
        reference_words=words,
        character_errors=characters if wrong else 0,
        reference_characters=characters,
        difference=f"[{pair.reference}>{pair.hypothesis}]" if wrong else pair.reference,
    )


TRAINING_DIVERGED = errors_pb2.ERROR_REASON_TRAINING_DIVERGED
