"""The whole system in a process of its own, asked over the predictor's own RPC and through SQL."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from benchmarks.predictor_work import BUNDLED, TABLE, Work
from thanosql import LocalServer, ThanoSQL
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc
from thanosql_runtime.channel import open_channel

Run = Callable[[], object]
_MODEL = "Wav2Vec2En"


@contextmanager
def server_runs(work: Work, threads: int) -> Iterator[dict[str, Run]]:
    """Two ways to ask one server for the transcripts of every recording; both decode files."""
    peer_token = secrets.token_hex(16)
    environment = {
        "THANOSQL_SERVER__PEER_TOKEN": peer_token,
        "THANOSQL_PREDICTOR__THREADS": str(threads),
    }
    if work.checkpoint != BUNDLED:
        environment["THANOSQL_STORAGE__WAV2VEC2_EN"] = str(work.checkpoint)
    with (
        LocalServer(workspace=work.workspace, environment=environment) as server,
        ThanoSQL(server.address, token=server.token) as client,
    ):
        client.execute(f"COPY recordings FROM '{TABLE}'")
        yield {
            "service over gRPC": lambda: asyncio.run(_transcribe(server.address, peer_token, work)),
            "PREDICT through SQL": lambda: client.execute(
                f"PREDICT USING {_MODEL} OPTIONS(reuse=False) AS SELECT * FROM recordings"
            ),
        }


async def _transcribe(address: str, peer_token: str, work: Work) -> None:
    async with open_channel(address, peer_token) as channel:
        stub: predictor_pb2_grpc.PredictorServiceAsyncStub = predictor_pb2_grpc.PredictorServiceStub(channel)
        answered = 0
        async for response in stub.Transcribe(_requests(work)):
            if response.WhichOneof("part") == "result":
                if not response.result.HasField("transcript"):
                    raise RuntimeError(response.result.status.message)
                answered += 1
    if answered != len(work.paths):
        raise RuntimeError(f"{answered} of {len(work.paths)} recordings were answered")


async def _requests(work: Work) -> AsyncIterator[predictor_pb2.TranscribeRequest]:
    yield predictor_pb2.TranscribeRequest(config=predictor_pb2.TranscribeConfig(model=_MODEL))
    for key, path in enumerate(work.paths):
        row = predictor_pb2.TranscribeRow(row_key=key, audio_path=path.name)
        yield predictor_pb2.TranscribeRequest(row=row)
