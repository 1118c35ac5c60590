"""A client of storage for tests: messages in, Arrow tables out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

import pyarrow as pa

from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_runtime.arrow import decode_batch, decode_schema, encode_batches, encode_schema


class StorageClient:
    """What the gateway and the trainer do with storage, in few words."""

    def __init__(self, stub: storage_pb2_grpc.StorageServiceAsyncStub) -> None:
        self.stub = stub

    async def query(
        self, sql: str, *tables: str, relations: Mapping[str, pa.Table] | None = None
    ) -> pa.Table:
        call = self.stub.Query(query_requests(sql, tables, relations or {}))
        schema, batches = None, []
        async for response in call:
            if response.WhichOneof("part") == "schema":
                schema = decode_schema(response.schema)
            else:
                assert len(response.record_batch) <= 1 << 20
                batches.append(decode_batch(response.record_batch, schema))
        assert schema is not None
        return pa.Table.from_batches(batches, schema=schema)

    async def write(
        self,
        table: str,
        rows: pa.Table,
        mode: storage_pb2.WriteMode.ValueType = storage_pb2.WRITE_MODE_CREATE,
        columns: Iterable[str] = (),
    ) -> storage_pb2.WriteTableResponse:
        return await self.stub.WriteTable(write_requests(table, rows, mode, columns))

    async def copy(
        self, table: str, source: str, if_exists: int = 1, **options: object
    ) -> storage_pb2.CopyResult:
        request = storage_pb2.CopyTableRequest(table=table, source=source, **options)  # type: ignore[arg-type]
        request.if_exists = if_exists  # type: ignore[assignment]
        parts = [response async for response in self.stub.CopyTable(request)]
        assert all(part.WhichOneof("part") == "progress" for part in parts[:-1])
        return parts[-1].result


async def query_requests(
    sql: str, tables: Iterable[str], relations: Mapping[str, pa.Table]
) -> AsyncIterator[storage_pb2.QueryRequest]:
    start = storage_pb2.QueryStart(sql=sql, tables=list(tables), relations=list(relations))
    yield storage_pb2.QueryRequest(start=start)
    for name, rows in relations.items():
        schema = storage_pb2.RelationSchema(relation=name, schema=encode_schema(rows.schema))
        yield storage_pb2.QueryRequest(relation_schema=schema)
        for batch in rows.to_batches():
            for message in encode_batches(batch):
                part = storage_pb2.RelationBatch(relation=name, record_batch=message)
                yield storage_pb2.QueryRequest(relation_batch=part)


async def write_requests(
    table: str,
    rows: pa.Table,
    mode: storage_pb2.WriteMode.ValueType,
    columns: Iterable[str] = (),
    commit: bool = True,
) -> AsyncIterator[storage_pb2.WriteTableRequest]:
    start = storage_pb2.WriteStart(table=table, mode=mode, columns=list(columns))
    yield storage_pb2.WriteTableRequest(start=start)
    yield storage_pb2.WriteTableRequest(schema=encode_schema(rows.schema))
    for batch in rows.to_batches():
        for message in encode_batches(batch):
            yield storage_pb2.WriteTableRequest(record_batch=message)
    if commit:
        yield storage_pb2.WriteTableRequest(commit=storage_pb2.WriteCommit())


async def file_requests(
    path: str, content: bytes, sha256: str = "", *, commit: bool = True
) -> AsyncIterator[storage_pb2.WriteFileRequest]:
    yield storage_pb2.WriteFileRequest(start=storage_pb2.FileStart(path=path))
    for offset in range(0, len(content), 65536):
        yield storage_pb2.WriteFileRequest(chunk=content[offset : offset + 65536])
    if commit:
        yield storage_pb2.WriteFileRequest(commit=storage_pb2.FileCommit(sha256=sha256))
