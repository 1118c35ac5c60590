"""Rows to and from the storage service: the messages of a query and of a write, in their order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pyarrow as pa

from services.gateway.core.ports import BoundQuery, Relation, Tell, WriteTarget
from services.gateway.core.records import Rows
from thanosql.v1 import storage_pb2
from thanosql_runtime.arrow import decode_batch, encode_batches, encode_schema


def query_start(query: BoundQuery) -> storage_pb2.QueryStart:
    """The first message of a query."""
    return storage_pb2.QueryStart(
        sql=query.sql,
        tables=query.tables,
        relations=[relation.name for relation in query.relations],
        versions=[
            storage_pb2.TableAtVersion(relation=item.relation, table=item.table.text, version=item.version)
            for item in query.versions
        ],
    )


async def send_query(
    start: storage_pb2.QueryStart,
    relations: Sequence[Relation],
    put: Callable[[storage_pb2.QueryRequest], Awaitable[None]],
) -> None:
    """Send a query, then the rows of its relations, which are opened one after another."""
    await put(storage_pb2.QueryRequest(start=start))
    for relation in relations:
        async with relation.open() as rows:
            schema = storage_pb2.RelationSchema(relation=relation.name, schema=encode_schema(rows.schema))
            await put(storage_pb2.QueryRequest(relation_schema=schema))
            async for batch in rows.batches:
                for message in encode_batches(batch):
                    part = storage_pb2.RelationBatch(relation=relation.name, record_batch=message)
                    await put(storage_pb2.QueryRequest(relation_batch=part))


async def send_write(
    target: WriteTarget, rows: Rows, put: Callable[[storage_pb2.WriteTableRequest], Awaitable[None]]
) -> None:
    """Send the rows for a table, then the word that they are complete."""
    start = storage_pb2.WriteStart(
        table=target.table,
        mode=storage_pb2.WriteMode.Value(f"WRITE_MODE_{target.mode}"),
        columns=target.columns,
        chosen_by_version=target.chosen_by_version,
    )
    await put(storage_pb2.WriteTableRequest(start=start))
    await put(storage_pb2.WriteTableRequest(schema=encode_schema(rows.schema)))
    async for batch in rows.batches:
        for message in encode_batches(batch):
            await put(storage_pb2.WriteTableRequest(record_batch=message))
    await put(storage_pb2.WriteTableRequest(commit=storage_pb2.WriteCommit()))


async def batches(
    messages: AsyncIterator[storage_pb2.QueryResponse], schema: pa.Schema, tell: Tell
) -> AsyncIterator[pa.RecordBatch]:
    """The rows of an answer; remarks between them are told."""
    async for message in messages:
        if message.HasField("notice"):
            await tell(message.notice.message)
        else:
            yield decode_batch(message.record_batch, schema)


async def tell_nobody(_message: str) -> None:
    """A query without a search has no remarks."""
