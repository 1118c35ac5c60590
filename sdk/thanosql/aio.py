"""The asynchronous client; everything that talks to a server is here."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Self

import grpc

from thanosql.aio_files import AsyncFiles
from thanosql.connection import open_channel, resolve_address, resolve_token
from thanosql.convert import to_explanation, to_job, to_server_info
from thanosql.decoding import EventDecoder
from thanosql.dictating import Chunks, Listening, dictation
from thanosql.errors import Cancelled, Unavailable
from thanosql.events import Event
from thanosql.failures import rpc_errors
from thanosql.result import Result, ResultBuilder
from thanosql.v1 import gateway_pb2, gateway_pb2_grpc
from thanosql.values import Explanation, Job, LiveTranscript, ServerInfo

_TIMEOUT_S = 30.0

OnEvent = Callable[[Event], None]


class AsyncThanoSQL(AsyncFiles):
    """Runs statements on a server, from asynchronous code.

    Example:
        >>> async def main() -> None:
        ...     async with AsyncThanoSQL() as client:
        ...         result = await client.execute("SELECT * FROM librispeech_test LIMIT 5")
        ...         print(result.rows)

    Args:
        address: `host:port`; else THANOSQL_ADDRESS, else 127.0.0.1:50051.
        token: Else THANOSQL_API_TOKEN, else what `thanosql token set` has kept for this address.
    """

    def __init__(self, address: str | None = None, token: str | None = None) -> None:
        self.address = resolve_address(address)
        self._token = resolve_token(token, self.address)
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(address={self.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; what still runs is cancelled, and later calls are refused."""
        self._closed = True
        channel, self._channel = self._channel, None
        if channel is not None and self._loop is asyncio.get_running_loop():
            await channel.close()

    async def execute(self, text: str, *, on_event: OnEvent | None = None) -> Result:
        """Run the statements of a text; answers the last one's result.

        Args:
            text: One statement, or several separated by `;`.
            on_event: Called with every event as it comes.

        Raises:
            ThanoSQLError: The first statement that fails ends the call.
            RuntimeError: The client is closed.
        """
        results = await self.execute_all(text, on_event=on_event)
        return results[-1] if results else Result()

    async def execute_all(self, text: str, *, on_event: OnEvent | None = None) -> list[Result]:
        """Run the statements of a text; answers every result."""
        builder = ResultBuilder()
        async with aclosing(self.stream(text)) as events:
            async for event in events:
                if on_event is not None:
                    on_event(event)
                builder.add(event)
        return builder.results

    async def stream(self, text: str) -> AsyncGenerator[Event, None]:
        """Run the statements of a text and hand on events as they come; leaving early cancels the work."""
        request = gateway_pb2.ExecuteRequest(text=text, request_id=str(uuid.uuid4()))
        decoder = EventDecoder()
        with self._calling(text) as stub:
            call = stub.Execute(request, metadata=self._metadata())
            try:
                async for message in call:
                    for event in decoder.decode(message):
                        yield event
            finally:
                call.cancel()
        if decoder.running is not None:
            raise _cut_short(decoder.running.kind, text)

    async def dictate(
        self,
        chunks: Chunks,
        *,
        sample_rate_hz: int = 16_000,
        model: str = "tutorial_audio_recognition",
        interim_results: bool = True,
        endpoint_silence_s: float | None = None,
        max_utterance_s: float | None = None,
        words: bool = False,
    ) -> AsyncGenerator[LiveTranscript, None]:
        """Transcribe live audio; yields what is heard while the chunks go out.

        The words of an utterance come as interim results, which replace each other, then once as a final one.
        Leaving early ends the dictation. Chunks may come faster than real time, and may be cut anywhere.

        Args:
            chunks: 16 bit samples, little endian, one channel, or `FinalizeUtterance()`; an iterator may wait
                for a microphone.
            sample_rate_hz: Rate of the samples, 8000 to 96000.
            model: A name, or a name with a version, such as `mine.2`.
            interim_results: Whether interim results are wanted.
            endpoint_silence_s: Silence that ends an utterance, 0.2 to 5; None for the server's own choice.
            max_utterance_s: Longest utterance, at least 2; None for the server's own choice.
            words: Whether final results have their `words`, each with its time, and a `confidence`.

        Raises:
            Overloaded: Too many dictate already; `retry_after_s` says when to come back.
            DeadlineExceeded: No audio came for too long.
        """
        listening = Listening(
            sample_rate_hz=sample_rate_hz,
            model=model,
            interim_results=interim_results,
            endpoint_silence_s=endpoint_silence_s,
            max_utterance_s=max_utterance_s,
            words=words,
        )
        with self._calling() as stub:
            call = stub.Dictate(metadata=self._metadata())
            async with aclosing(dictation(call, listening, chunks)) as transcripts:
                async for transcript in transcripts:
                    yield transcript

    async def explain(self, text: str) -> list[Explanation]:
        """Say what would run, statement by statement, and change nothing."""
        with self._calling(text) as stub:
            answer = await stub.Explain(
                gateway_pb2.ExplainRequest(text=text), metadata=self._metadata(), timeout=_TIMEOUT_S
            )
        return [to_explanation(explanation) for explanation in answer.explanations]

    async def jobs(self) -> list[Job]:
        """All training runs, newest first."""
        found: list[Job] = []
        token = ""
        while True:
            request = gateway_pb2.ListJobsRequest(page_token=token)
            with self._calling() as stub:
                page = await stub.ListJobs(request, metadata=self._metadata(), timeout=_TIMEOUT_S)
            found += [to_job(job) for job in page.jobs]
            token = page.next_page_token
            if not token:
                return found

    async def job(self, job_id: str) -> Job:
        """One training run."""
        request = gateway_pb2.GetJobRequest(job_id=job_id)
        with self._calling() as stub:
            answer = await stub.GetJob(request, metadata=self._metadata(), timeout=_TIMEOUT_S)
        return to_job(answer.job)

    async def watch_job(self, job_id: str, *, after_sequence: int = 0) -> AsyncGenerator[Job, None]:
        """Follow a training run to its end; leaving early leaves it alone.

        Args:
            job_id: Id.
            after_sequence: `Job.sequence` of the newest state already seen.
        """
        request = gateway_pb2.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        with self._calling() as stub:
            call = stub.WatchJob(request, metadata=self._metadata())
            try:
                async for message in call:
                    yield to_job(message.job)
            finally:
                call.cancel()

    async def cancel_job(self, job_id: str) -> Job:
        """Stop a training run."""
        request = gateway_pb2.CancelJobRequest(job_id=job_id)
        with self._calling() as stub:
            answer = await stub.CancelJob(request, metadata=self._metadata(), timeout=_TIMEOUT_S)
        return to_job(answer.job)

    async def rotate_token(self) -> str:
        """Replace the token; the old one ends at once, and this client goes on with the new one."""
        with self._calling() as stub:
            answer = await stub.RotateToken(
                gateway_pb2.RotateTokenRequest(), metadata=self._metadata(), timeout=_TIMEOUT_S
            )
        self._token = answer.token
        return answer.token

    async def server_info(self, *, timeout_s: float = _TIMEOUT_S) -> ServerInfo:
        """What the server is; the cheapest way to see whether it answers."""
        with self._calling() as stub:
            answer = await stub.GetServerInfo(
                gateway_pb2.GetServerInfoRequest(), metadata=self._metadata(), timeout=timeout_s
            )
        return to_server_info(answer)

    @contextmanager
    def _calling(self, text: str = "") -> "Iterator[gateway_pb2_grpc.GatewayServiceAsyncStub]":
        """What to call with; failures come as errors of this package, one by `close` among them."""
        if self._closed:
            raise RuntimeError("the client is closed; make a new one")
        try:
            with rpc_errors(self.address, text):
                yield self._stub()
        except asyncio.CancelledError:
            if self._closed and not _task_is_cancelled():
                raise closed_meanwhile(text) from None
            raise

    def _stub(self) -> "gateway_pb2_grpc.GatewayServiceAsyncStub":
        # A channel belongs to the loop that runs when it is made; one of a loop that has ended is of no use.
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            self._channel, self._loop = open_channel(self.address), loop
        return gateway_pb2_grpc.GatewayServiceStub(self._channel)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()


def closed_meanwhile(text: str = "") -> Cancelled:
    """Why a call ended whose client was closed under it."""
    message = "the client was closed while this ran; the work was cancelled"
    return Cancelled(reason="CANCELLED", message=message, text=text)


def _cut_short(kind: str, text: str) -> Unavailable:
    message = (
        f"the server's answer ended in the middle of {kind}; whether it was carried out is not known, "
        "so look before you run it again"
    )
    return Unavailable(reason="PEER_UNAVAILABLE", message=message, text=text)


def _task_is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
