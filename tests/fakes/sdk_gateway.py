"""A gateway on a real socket that answers as a test tells it, and remembers what it was asked."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pyarrow as pa

from thanosql.v1 import gateway_pb2, gateway_pb2_grpc, predictor_pb2, storage_pb2, trainer_pb2, types_pb2
from thanosql_runtime.errors import Reason, Span, StatementError, ThanosqlError, error
from thanosql_runtime.status import DETAILS_KEY, to_status

TOKEN = "thanosql_of_a_test"
FLAC = b"fLaC" + bytes(range(256)) * 400
TABLE = pa.table({"audio_path": ["a.wav", "b.wav", "c.wav"], "predicted": ["HELLO", "WORLD", None]})

Response = gateway_pb2.ExecuteResponse
Answer = Sequence[Response] | ThanosqlError


def started(kind: str, index: int = 0) -> Response:
    event = gateway_pb2.StatementStarted(kind=kind, canonical_text=kind)
    return Response(statement_index=index, started=event)


def rows(table: pa.Table) -> list[Response]:
    schema = Response(schema=table.schema.serialize().to_pybytes())
    batches = table.to_batches(max_chunksize=2)
    return [schema, *(Response(record_batch=b.serialize().to_pybytes()) for b in batches if b.num_rows)]


def progress(stage: str, done: float, **more: Any) -> Response:
    return Response(progress=gateway_pb2.Progress(stage=stage, done=done, **more))


def notice(message: str) -> Response:
    return Response(notice=types_pb2.Notice(message=message))


def recording(row: int, path: str, data: bytes = FLAC, mime_type: str = "audio/flac") -> list[Response]:
    start = gateway_pb2.MediaStart(row=row, path=path, mime_type=mime_type, size_bytes=len(data))
    chunks = [data[begin : begin + 60_000] for begin in range(0, len(data), 60_000)]
    return [
        Response(media_start=start),
        *(
            Response(media_chunk=gateway_pb2.MediaChunk(data=chunk, last=number == len(chunks) - 1))
            for number, chunk in enumerate(chunks)
        ),
    ]


def row_errors(*errors: types_pb2.RowError) -> Response:
    return Response(row_errors=gateway_pb2.RowErrors(errors=errors))


def job_event(job: trainer_pb2.TrainingJob) -> Response:
    return Response(job=job)


def done(message: str = "", index: int = 0, **more: Any) -> Response:
    event = gateway_pb2.StatementDone(message=message, elapsed_s=0.25, **more)
    return Response(statement_index=index, done=event)


def unknown_option(text: str) -> ThanosqlError:
    start = text.index("epoch=")
    before = text[:start]
    column = start - (before.rfind("\n") + 1) + 1
    known = ("audio_col", "text_col", "epochs", "batch_size", "learning_rate", "overwrite", "max_epochs")
    return ThanosqlError(
        reason=Reason.UNKNOWN_OPTION,
        message="unknown option 'epoch' for BUILD MODEL",
        statement=StatementError(
            span=Span(start=start, end=start + 5, line=before.count("\n") + 1, column=column),
            suggestion="epochs",
            known=known,
        ),
    )


def a_job(state: str = "TRAINING", sequence: int = 1, **more: Any) -> trainer_pb2.TrainingJob:
    value = trainer_pb2.TrainingJob.State.Value(f"STATE_{state}")
    return trainer_pb2.TrainingJob(
        job_id="job-1", sequence=sequence, state=value, model="mine", base="Wav2Vec2En.1", **more
    )


@dataclass(kw_only=True)
class FakeGateway(gateway_pb2_grpc.GatewayServiceServicer):
    """Answers statements from `answers` by their text; an unknown text hangs until it is cancelled."""

    answers: dict[str, Answer] = field(default_factory=dict)
    answer_to_all: Answer | None = None
    token: str = TOKEN
    jobs: list[trainer_pb2.TrainingJob] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    failures: list[ThanosqlError] = field(default_factory=list)
    breaks_after: list[int] = field(default_factory=list)
    arrived: dict[str, bytes] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    keeps_what_arrives: bool = True
    damages: bool = False
    keeps_files: bool = False
    before_hanging: Sequence[Response] = (
        started("BUILD MODEL"),
        progress("training", 1, total=100, unit="steps"),
    )
    texts: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    dictated: list[predictor_pb2.StreamingConfig] = field(default_factory=list)
    dictated_bytes: int = 0
    audio_ended: threading.Event = field(default_factory=threading.Event)
    finals_held: bool = False
    hanging: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def Execute(self, request: gateway_pb2.ExecuteRequest, context: Any) -> Iterator[Response]:
        self._check(context)
        self.texts.append(request.text)
        self.request_ids.append(request.request_id)
        answer = self._answer(request.text)
        if answer is None:
            yield from self._hang(context)
        elif isinstance(answer, ThanosqlError):
            _fail(context, answer)
        else:
            yield from answer

    def _answer(self, text: str) -> Answer | None:
        return self.answers.get(text.strip(), self.answer_to_all)

    def _hang(self, context: Any) -> Iterator[Response]:
        context.add_callback(self.cancelled.set)
        yield from self.before_hanging
        self.hanging.set()
        self.cancelled.wait(60)

    def Dictate(
        self, request_iterator: Iterator[gateway_pb2.DictateRequest], context: Any
    ) -> Iterator[gateway_pb2.DictateResponse]:
        """Hears `N bytes` in what has come so far, as a final result at a wish for an end or at the end."""
        self._check(context)
        context.add_callback(self.cancelled.set)
        self.dictated.append(next(request_iterator).config)
        if self.failures:
            _fail(context, self.failures.pop())
        yield gateway_pb2.DictateResponse(model=types_pb2.ModelVersion(name="m", version=2))
        came = 0
        for request in request_iterator:
            came += len(request.audio)
            self.dictated_bytes += len(request.audio)
            yield gateway_pb2.DictateResponse(results=_heard(came, is_final=request.HasField("finalize")))
        self.audio_ended.set()
        if self.finals_held:
            self.cancelled.wait(30)
        words = self.dictated[-1].word_times and self.dictated[-1].confidence
        yield gateway_pb2.DictateResponse(results=_heard(came, is_final=True, words=words))

    def Explain(self, request: gateway_pb2.ExplainRequest, context: Any) -> gateway_pb2.ExplainResponse:
        self._check(context)
        explanation = gateway_pb2.Explanation(kind="SELECT", canonical_text=request.text, steps=["query"])
        return gateway_pb2.ExplainResponse(explanations=[explanation])

    def GetJob(self, request: gateway_pb2.GetJobRequest, context: Any) -> gateway_pb2.GetJobResponse:
        self._check(context)
        found = [job for job in self.jobs if job.job_id == request.job_id]
        if not found:
            _fail(context, error(Reason.JOB_NOT_FOUND, f"no job '{request.job_id}'", job=request.job_id))
        return gateway_pb2.GetJobResponse(job=found[0])

    def ListJobs(self, request: gateway_pb2.ListJobsRequest, context: Any) -> gateway_pb2.ListJobsResponse:
        """One job a page."""
        self._check(context)
        position = int(request.page_token or 0)
        following = str(position + 1) if position + 1 < len(self.jobs) else ""
        page = self.jobs[position : position + 1]
        return gateway_pb2.ListJobsResponse(jobs=page, next_page_token=following)

    def WatchJob(
        self, request: gateway_pb2.WatchJobRequest, context: Any
    ) -> Iterator[gateway_pb2.WatchJobResponse]:
        self._check(context)
        for job in self.jobs:
            if job.sequence > request.after_sequence:
                yield gateway_pb2.WatchJobResponse(job=job)

    def CancelJob(self, request: gateway_pb2.CancelJobRequest, context: Any) -> gateway_pb2.CancelJobResponse:
        self._check(context)
        return gateway_pb2.CancelJobResponse(job=a_job("CANCELLED", 9))

    def UploadFile(
        self, request_iterator: Iterator[gateway_pb2.UploadFileRequest], context: Any
    ) -> gateway_pb2.UploadFileResponse:
        self._check(context)
        start, came = next(request_iterator).start, 0
        self.offsets.append(start.offset)
        content = self.arrived.get(start.upload_id, b"")[: start.offset]
        for part in request_iterator:
            content, came = content + part.chunk, came + len(part.chunk)
            if self.keeps_what_arrives:
                self.arrived[start.upload_id] = content
            if self.breaks_after and came >= self.breaks_after[0]:
                self._break(context)
            commit = part.commit
        if self.damages:
            content = content[::-1]
        if hashlib.sha256(content).hexdigest() != commit.sha256:
            _fail(context, error(Reason.FILE_DAMAGED, "bytes differ", path=start.path))
        self.files[start.path] = content
        return gateway_pb2.UploadFileResponse(file=_described(start.path, content))

    def GetUpload(self, request: gateway_pb2.GetUploadRequest, context: Any) -> gateway_pb2.GetUploadResponse:
        self._check(context)
        received_bytes = len(self.arrived.get(request.upload_id, b""))
        return gateway_pb2.GetUploadResponse(received_bytes=received_bytes)

    def _break(self, context: Any) -> None:
        """End a call as a connection that is lost."""
        self.breaks_after.pop(0)
        context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset by peer")

    def DownloadFile(
        self, request: gateway_pb2.DownloadFileRequest, context: Any
    ) -> Iterator[gateway_pb2.DownloadFileResponse]:
        self._check(context)
        if request.path not in self.files:
            _fail(context, error(Reason.FILE_NOT_FOUND, f"no file '{request.path}'", path=request.path))
        content = self.files[request.path]
        self.offsets.append(request.offset)
        if request.offset > len(content):
            _fail(context, error(Reason.INVALID_ARGUMENT, "the file is shorter", path=request.path))
        yield gateway_pb2.DownloadFileResponse(file=_described(request.path, content))
        for begin in range(request.offset, len(content), 60_000):
            if self.breaks_after and begin - request.offset >= self.breaks_after[0]:
                self._break(context)
            chunk = content[begin : begin + 60_000]
            yield gateway_pb2.DownloadFileResponse(chunk=chunk[::-1] if self.damages else chunk)
        end = storage_pb2.FileEnd(sha256=hashlib.sha256(content).hexdigest())
        yield gateway_pb2.DownloadFileResponse(end=end)

    def ListWorkspaceFiles(
        self, request: gateway_pb2.ListWorkspaceFilesRequest, context: Any
    ) -> gateway_pb2.ListWorkspaceFilesResponse:
        self._check(context)
        found = [
            _described(path, data)
            for path, data in sorted(self.files.items())
            if path.startswith(request.prefix) and path > request.page_token
        ]
        size = request.page_size or 100
        token = found[size - 1].path if len(found) > size else ""
        return gateway_pb2.ListWorkspaceFilesResponse(files=found[:size], next_page_token=token)

    def DeleteWorkspaceFile(
        self, request: gateway_pb2.DeleteWorkspaceFileRequest, context: Any
    ) -> gateway_pb2.DeleteWorkspaceFileResponse:
        self._check(context)
        if request.path not in self.files:
            _fail(context, error(Reason.FILE_NOT_FOUND, f"no file '{request.path}'", path=request.path))
        if self.keeps_files:
            _fail(context, error(Reason.STORE_READ_ONLY, f"'{request.path}' stays", path=request.path))
        deleted = _described(request.path, self.files.pop(request.path))
        return gateway_pb2.DeleteWorkspaceFileResponse(file=deleted)

    def GetFileUrl(
        self, request: gateway_pb2.GetFileUrlRequest, context: Any
    ) -> gateway_pb2.GetFileUrlResponse:
        self._check(context)
        response = gateway_pb2.GetFileUrlResponse(url=f"http://s3/{request.path}?X-Amz-Signature=1")
        response.expire_time.FromSeconds(1_800_000_000 + request.lasts.seconds)
        return response

    def RotateToken(
        self, request: gateway_pb2.RotateTokenRequest, context: Any
    ) -> gateway_pb2.RotateTokenResponse:
        self._check(context)
        self.token = "thanosql_rotated"
        return gateway_pb2.RotateTokenResponse(token=self.token)

    def GetServerInfo(
        self, request: gateway_pb2.GetServerInfoRequest, context: Any
    ) -> gateway_pb2.GetServerInfoResponse:
        self._check(context)
        if self.failures:
            _fail(context, self.failures.pop())
        return gateway_pb2.GetServerInfoResponse(version="0.1.0", services=["gateway", "parser"])

    def _check(self, context: Any) -> None:
        sent = dict(context.invocation_metadata()).get("authorization")
        if sent != f"Bearer {self.token}":
            _fail(context, error(Reason.INVALID_TOKEN, "the token is absent or wrong"))


def _heard(came: int, *, is_final: bool, words: bool = False) -> list[predictor_pb2.StreamingResult]:
    results = [predictor_pb2.StreamingResult(text=str(came), is_final=is_final, stability=0.6)]
    results[0].end_offset.FromMilliseconds(came)
    if words:
        results[0].words.add(text=str(came), end_offset=results[0].end_offset, confidence=0.25)
        results[0].confidence = 0.25
    if is_final:
        return results
    return [
        *results,
        predictor_pb2.StreamingResult(text="bytes", stability=0.4, end_offset=results[0].end_offset),
    ]


@contextmanager
def serving_gateway(gateway: FakeGateway) -> Iterator[str]:
    """Serve on a free port; yields the address."""
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    gateway_pb2_grpc.add_GatewayServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        gateway.cancelled.set()
        server.stop(0).wait()


def _described(path: str, content: bytes) -> storage_pb2.File:
    return storage_pb2.File(path=path, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _fail(context: Any, failure: ThanosqlError) -> None:
    status = to_status(failure)
    context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))
    code = next(member for member in grpc.StatusCode if member.value[0] == status.code)
    context.abort(code, status.message)
