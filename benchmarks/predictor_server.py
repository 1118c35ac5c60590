"""The whole system in a process of its own, asked over the predictor's own RPC and through SQL."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.predictor_work import BUNDLED, TABLE, Work
from thanosql import LocalServer, ThanoSQL
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc
from thanosql_runtime.channel import open_channel

Run = Callable[[], object]
MODEL = "Wav2Vec2En"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server, the secret of its services, and a client whose tables hold the recordings."""

    address: str
    peer_token: str
    client: ThanoSQL

    def predict(self, precision: str = "", limit: int = 0) -> None:
        """Transcribe every recording, or the first ones, through SQL; nothing that was kept is taken."""
        options = "reuse=False" + (f", precision='{precision}'" if precision else "")
        query = "SELECT * FROM recordings" + (f" LIMIT {limit}" if limit else "")
        self.client.execute(f"PREDICT USING {MODEL} OPTIONS ({options}) AS {query}")


@contextmanager
def serving(work: Work, threads: int) -> Iterator[Served]:
    """A server over the recordings; it computes nothing but what it is asked for."""
    peer_token = secrets.token_hex(16)
    environment = {
        "THANOSQL_SERVER__PEER_TOKEN": peer_token,
        "THANOSQL_PREDICTOR__THREADS": str(threads),
        "THANOSQL_PREDICTOR__PRELOAD": "",
    }
    if work.checkpoint != BUNDLED:
        environment["THANOSQL_STORAGE__WAV2VEC2_EN"] = str(work.checkpoint)
    if work.bounds is not None:
        environment["THANOSQL_PREDICTOR__INT8_AGREEMENT"] = str(work.bounds.same_labels)
    with (
        LocalServer(workspace=work.workspace, environment=environment) as server,
        ThanoSQL(server.address, token=server.token) as client,
    ):
        client.execute(f"COPY recordings FROM '{TABLE}'")
        yield Served(address=server.address, peer_token=peer_token, client=client)


def server_runs(served: Served, work: Work) -> dict[str, Run]:
    """Ways to ask one server for the transcripts of every recording; all of them decode files."""
    return {
        "service over gRPC": lambda: asyncio.run(_transcribe(served, work)),
        "PREDICT through SQL": served.predict,
        "PREDICT through SQL, int8": lambda: served.predict("int8"),
    }


async def _transcribe(served: Served, work: Work) -> None:
    async with open_channel(served.address, served.peer_token) as channel:
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
    yield predictor_pb2.TranscribeRequest(config=predictor_pb2.TranscribeConfig(model=MODEL))
    for key, path in enumerate(work.paths):
        row = predictor_pb2.TranscribeRow(row_key=key, audio_path=path.name)
        yield predictor_pb2.TranscribeRequest(row=row)
