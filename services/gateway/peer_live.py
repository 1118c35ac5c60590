"""Live audio, which passes through to the predictor as it comes; a slow side slows the other one down."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from services.gateway.core.pipes import Pipe
from services.gateway.peer_streams import REQUESTS_AHEAD, Feed, answers
from thanosql.v1 import gateway_pb2, predictor_pb2, predictor_pb2_grpc
from thanosql_runtime.errors import Reason, error


class LiveCalls:
    """Calls with live audio, answered by the predictor.

    Args:
        stub: The predictor.
        stopping: Set once the gateway begins to stop: streams end then, which they would not by themselves.
    """

    def __init__(self, stub: "predictor_pb2_grpc.PredictorServiceAsyncStub", stopping: asyncio.Event) -> None:
        self._stub = stub
        self._stopping = stopping

    async def dictate(
        self, requests: AsyncIterator[gateway_pb2.DictateRequest]
    ) -> AsyncGenerator[gateway_pb2.DictateResponse]:
        """What is heard, as it is heard.

        Raises:
            ThanosqlError: PEER_UNAVAILABLE where the gateway stops, after the final result of what was heard;
                what the predictor raises.
        """
        feed: Feed = Pipe(REQUESTS_AHEAD)
        coming = _Coming(requests, self._stopping)
        async with feed.fed_by(partial(_send_parts, coming.requests(), feed.put)):
            # No deadline: nobody knows how long somebody speaks. A stream that falls silent is ended behind.
            call = self._stub.StreamingRecognize(feed.items())
            async for message in answers(call, "predictor", feed):
                model = message.model if message.HasField("model") else None
                yield gateway_pb2.DictateResponse(results=message.results, model=model)
        if coming.were_cut:
            raise error(Reason.PEER_UNAVAILABLE, "the server is stopping; begin the dictation again")


class _Coming:
    """The requests of a caller until the gateway stops.

    Args:
        requests: What the caller sends.
        stopping: Ends them.
    """

    def __init__(self, requests: AsyncIterator[gateway_pb2.DictateRequest], stopping: asyncio.Event) -> None:
        self.were_cut = False
        self._requests = requests
        self._stopping = stopping

    async def requests(self) -> AsyncIterator[gateway_pb2.DictateRequest]:
        """What comes until then."""
        requests = aiter(self._requests)
        stopping = asyncio.ensure_future(self._stopping.wait())
        reading: asyncio.Future[gateway_pb2.DictateRequest | None] | None = None
        try:
            while True:
                reading = asyncio.ensure_future(anext(requests, None))
                await asyncio.wait([reading, stopping], return_when=asyncio.FIRST_COMPLETED)
                self.were_cut = not reading.done()
                if self.were_cut or (request := reading.result()) is None:
                    return
                yield request
        finally:
            tasks: list[asyncio.Future[Any]] = [stopping, *([] if reading is None else [reading])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _send_parts(
    requests: AsyncIterator[gateway_pb2.DictateRequest],
    put: Callable[[predictor_pb2.StreamingRecognizeRequest], Awaitable[None]],
) -> None:
    async for request in requests:
        match request.WhichOneof("part"):
            case "config":
                await put(predictor_pb2.StreamingRecognizeRequest(config=request.config))
            case "audio":
                await put(predictor_pb2.StreamingRecognizeRequest(audio=request.audio))
            case "finalize":
                await put(predictor_pb2.StreamingRecognizeRequest(finalize=request.finalize))
            case None:
                raise error(Reason.INVALID_ARGUMENT, "a message of the dictation has no part")
