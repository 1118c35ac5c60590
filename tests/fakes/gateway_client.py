"""A client of a gateway under test: the events of a call, gathered."""

from dataclasses import dataclass, field
from typing import Any

import grpc
import pyarrow as pa

from thanosql.v1 import gateway_pb2, gateway_pb2_grpc
from thanosql_runtime.arrow import decode_batch, decode_schema
from thanosql_runtime.errors import ThanosqlError
from thanosql_runtime.status import from_rpc_error


@dataclass
class Answer:
    """The events of one call, and its failure where it failed."""

    events: list[gateway_pb2.ExecuteResponse] = field(default_factory=list)
    failure: ThanosqlError | None = None

    def of(self, kind: str) -> list[Any]:
        return [getattr(event, kind) for event in self.events if event.WhichOneof("event") == kind]

    @property
    def kinds(self) -> list[str]:
        return [str(event.WhichOneof("event")) for event in self.events]

    @property
    def table(self) -> pa.Table:
        schema = decode_schema(self.of("schema")[-1])
        return pa.Table.from_batches([decode_batch(m, schema) for m in self.of("record_batch")], schema)

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    @property
    def done(self) -> gateway_pb2.StatementDone:
        message: gateway_pb2.StatementDone = self.of("done")[-1]
        return message

    @property
    def notices(self) -> list[str]:
        return [notice.message for notice in self.of("notice")]


class Client:
    """Calls a gateway with a token."""

    def __init__(self, address: str, token: str) -> None:
        self.channel = grpc.aio.insecure_channel(address)
        self.stub = gateway_pb2_grpc.GatewayServiceStub(self.channel)
        self.metadata = (("authorization", f"Bearer {token}"),)

    async def close(self) -> None:
        await self.channel.close()

    def begin(self, text: str, request_id: str = "") -> Any:
        request = gateway_pb2.ExecuteRequest(text=text, request_id=request_id)
        return self.stub.Execute(request, metadata=self.metadata)

    async def run(self, text: str, request_id: str = "") -> Answer:
        answer = Answer()
        try:
            async for event in self.begin(text, request_id):
                answer.events.append(event)
        except grpc.aio.AioRpcError as failure:
            answer.failure = from_rpc_error(failure, "gateway")
        return answer

    async def succeed(self, text: str) -> Answer:
        answer = await self.run(text)
        assert answer.failure is None, answer.failure
        return answer

    async def fail(self, text: str) -> ThanosqlError:
        failure = (await self.run(text)).failure
        assert failure is not None, f"{text!r} did not fail"
        return failure
