"""Live audio, which passes through to the predictor as it comes; a slow side slows the other one down."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial

from services.gateway.core.pipes import Pipe
from services.gateway.peer_streams import REQUESTS_AHEAD, Feed, answers
from thanosql.v1 import gateway_pb2, predictor_pb2, predictor_pb2_grpc
from thanosql_runtime.errors import Reason, error


class LiveCalls:
    """Calls with live audio, answered by the predictor."""

    def __init__(self, stub: "predictor_pb2_grpc.PredictorServiceAsyncStub") -> None:
        self._stub = stub

    async def dictate(
        self, requests: AsyncIterator[gateway_pb2.DictateRequest]
    ) -> AsyncGenerator[gateway_pb2.DictateResponse]:
        """What is heard, as it is heard."""
        feed: Feed = Pipe(REQUESTS_AHEAD)
        async with feed.fed_by(partial(_send_parts, requests, feed.put)):
            # No deadline: nobody knows how long somebody speaks. A stream that falls silent is ended behind.
            call = self._stub.StreamingRecognize(feed.items())
            async for message in answers(call, "predictor", feed):
                model = message.model if message.HasField("model") else None
                yield gateway_pb2.DictateResponse(results=message.results, model=model)


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
