"""The storage service, behind the ports that core defines: tables and files."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from services.gateway import convert
from services.gateway.convert_copies import copy_explanation, copy_part
from services.gateway.core.copy_records import CopyExplanation, CopyProgress, CopyResult
from services.gateway.core.pipes import Pipe
from services.gateway.core.plan_changes import AddColumn, AlterTable, Copy, DropColumn
from services.gateway.core.ports import (
    BoundQuery,
    KeywordSearch,
    Relation,
    Tell,
    VectorSearch,
    WriteTarget,
    Written,
)
from services.gateway.core.records import (
    FileFacts,
    OpenFile,
    Rows,
    Table,
    TableVersion,
)
from services.gateway.peer_rows import batches, query_start, send_query, send_write, tell_nobody
from services.gateway.peer_streams import REQUESTS_AHEAD, Feed, answer, answers, first, pages, peer_call
from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc
from thanosql_runtime.arrow import decode_schema

_PEER = "storage"
_PAGE = 1000
# Audio travels to users in small messages.
_CHUNK_BYTES = 64 << 10
# What made a version stands in a file of its own, which a bucket takes a while to give.
_VERSIONS_PAGE = 100

# A change of a large table writes all of it again.
_REWRITE_TIMEOUT_S = 1800.0


class StorageTables:
    """Tables and queries over them."""

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def query(self, query: BoundQuery) -> AsyncIterator[Rows]:
        """See `Tables.query`."""
        async with self._rows(query_start(query), query.relations, tell_nobody) as rows:
            yield rows

    @asynccontextmanager
    async def search(
        self, query: BoundQuery, search: KeywordSearch | VectorSearch, tell: Tell
    ) -> AsyncIterator[Rows]:
        """See `Tables.search`."""
        start = query_start(query)
        _ask_for(start, search)
        async with self._rows(start, query.relations, tell) as rows:
            yield rows

    @asynccontextmanager
    async def _rows(
        self, start: storage_pb2.QueryStart, relations: Sequence[Relation], tell: Tell
    ) -> AsyncIterator[Rows]:
        """The rows of a query; the relations are opened and sent one after another."""
        feed: Feed = Pipe(REQUESTS_AHEAD)
        async with feed.fed_by(partial(send_query, start, relations, feed.put)):
            call = self._stub.Query(feed.items())
            messages = answers(call, _PEER, feed)
            try:
                answered = await first(messages, _PEER)
                schema = decode_schema(answered.schema)
                read = [convert.table_version(version) for version in answered.tables_read]
                yield Rows(schema=schema, batches=batches(messages, schema, tell), tables_read=read)
            finally:
                call.cancel()

    async def write(self, target: WriteTarget, rows: Rows) -> Written:
        """See `Tables.write`."""
        feed: Feed = Pipe(REQUESTS_AHEAD)
        async with feed.fed_by(partial(send_write, target, rows, feed.put)):
            response = await answer(self._stub.WriteTable(feed.items()), _PEER, feed)
        return Written(table=convert.table(response.table), rows=response.rows_written)

    async def copy(self, statement: Copy) -> AsyncIterator[CopyProgress | CopyResult]:
        """See `Tables.copy`."""
        request = storage_pb2.CopyTableRequest(
            table=statement.table.text,
            source=statement.source,
            if_exists=parser_pb2.IfExists.Value(f"IF_EXISTS_{statement.if_exists}"),
            store_audio=statement.store_audio,
            audio_col=statement.audio_col,
        )
        async for message in answers(self._stub.CopyTable(request), _PEER):
            yield copy_part(message)

    async def explain_copy(self, statement: Copy) -> CopyExplanation:
        """See `Tables.explain_copy`."""
        request = storage_pb2.ExplainCopyRequest(
            table=statement.table.text,
            source=statement.source,
            if_exists=parser_pb2.IfExists.Value(f"IF_EXISTS_{statement.if_exists}"),
            store_audio=statement.store_audio,
            audio_col=statement.audio_col,
        )
        with peer_call(_PEER):
            return copy_explanation(await self._stub.ExplainCopy(request, timeout=_REWRITE_TIMEOUT_S))

    async def update(self, table: str, assignments: Sequence[tuple[str, str]], condition: str) -> int:
        """See `Tables.update`."""
        request = storage_pb2.UpdateRowsRequest(
            table=table,
            assignments=[parser_pb2.Assignment(column=c, expression=e) for c, e in assignments],
            condition=condition,
        )
        with peer_call(_PEER):
            return (await self._stub.UpdateRows(request, timeout=_REWRITE_TIMEOUT_S)).rows_changed

    async def delete(self, table: str, condition: str) -> int:
        """See `Tables.delete`."""
        request = storage_pb2.DeleteRowsRequest(table=table, condition=condition)
        with peer_call(_PEER):
            return (await self._stub.DeleteRows(request, timeout=_REWRITE_TIMEOUT_S)).rows_deleted

    async def drop(self, table: str, if_exists: bool) -> bool:
        """See `Tables.drop`."""
        request = storage_pb2.DropTableRequest(table=table, if_exists=if_exists)
        with peer_call(_PEER):
            return (await self._stub.DropTable(request, timeout=self._timeout_s)).dropped

    async def alter(self, statement: AlterTable) -> Table:
        """See `Tables.alter`."""
        with peer_call(_PEER):
            response = await self._stub.AlterTable(_alter_request(statement), timeout=_REWRITE_TIMEOUT_S)
        return convert.table(response.table)

    async def get(self, table: str) -> Table:
        """See `Tables.get`."""
        with peer_call(_PEER):
            response = await self._stub.GetTable(
                storage_pb2.GetTableRequest(table=table), timeout=self._timeout_s
            )
        return convert.table(response.table)

    async def pages(self) -> AsyncIterator[Sequence[Table]]:
        """See `Tables.pages`."""
        request = storage_pb2.ListTablesRequest(page_size=_PAGE)
        async for page in pages(self._stub.ListTables, request, _PEER, self._timeout_s):
            yield [convert.table(message) for message in page.tables]

    async def version_pages(self, table: str) -> AsyncIterator[Sequence[TableVersion]]:
        """See `Tables.version_pages`."""
        request = storage_pb2.ListTableVersionsRequest(table=table, page_size=_VERSIONS_PAGE)
        async for page in pages(self._stub.ListTableVersions, request, _PEER, self._timeout_s):
            yield [convert.table_version(message) for message in page.versions]

    async def restore(self, table: str, version: int) -> Table:
        """See `Tables.restore`."""
        request = storage_pb2.RestoreTableRequest(table=table, version=version)
        with peer_call(_PEER):
            response = await self._stub.RestoreTable(request, timeout=_REWRITE_TIMEOUT_S)
        return convert.table(response.table)

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """See `Tables.delete_snapshot`."""
        request = storage_pb2.DeleteSnapshotRequest(snapshot_id=snapshot_id)
        with peer_call(_PEER):
            await self._stub.DeleteSnapshot(request, timeout=self._timeout_s)


class StorageFiles:
    """Files of the workspace."""

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def read(self, path: str) -> AsyncIterator[OpenFile]:
        """See `Files.read`."""
        call = self._stub.ReadFile(storage_pb2.ReadFileRequest(path=path))
        messages = answers(call, _PEER)
        try:
            file = (await first(messages, _PEER)).file
            facts = FileFacts(path=file.path, size_bytes=file.size_bytes)
            yield OpenFile(facts=facts, chunks=_chunks(messages))
        finally:
            call.cancel()

    async def pages(self, prefix: str) -> AsyncIterator[Sequence[FileFacts]]:
        """See `Files.pages`."""
        request = storage_pb2.ListFilesRequest(prefix=prefix, page_size=_PAGE)
        async for page in pages(self._stub.ListFiles, request, _PEER, self._timeout_s):
            yield [FileFacts(path=file.path, size_bytes=file.size_bytes) for file in page.files]


def _ask_for(start: storage_pb2.QueryStart, search: KeywordSearch | VectorSearch) -> None:
    """Put the search into the query; the two messages call what they share by the same names."""
    if isinstance(search, KeywordSearch):
        start.search.search_input = search.search_input
        start.search.text_col = search.text_col
    else:
        start.vector_search.embedding.extend(search.embedding)
        start.vector_search.emb_col = search.emb_col
    wanted = start.search if isinstance(search, KeywordSearch) else start.vector_search
    wanted.result_col = search.result_col
    wanted.top_k = search.top_k
    wanted.explain_only = search.explain_only


async def _chunks(messages: AsyncIterator[storage_pb2.ReadFileResponse]) -> AsyncIterator[bytes]:
    async for message in messages:
        chunk = message.chunk
        for begin in range(0, len(chunk), _CHUNK_BYTES):
            yield chunk[begin : begin + _CHUNK_BYTES]


def _alter_request(statement: AlterTable) -> storage_pb2.AlterTableRequest:
    request = storage_pb2.AlterTableRequest(table=statement.table.text)
    action = statement.action
    if isinstance(action, AddColumn):
        request.add_column.CopyFrom(parser_pb2.AddColumn(name=action.name, type=action.type))
    elif isinstance(action, DropColumn):
        request.drop_column.CopyFrom(parser_pb2.DropColumn(name=action.name, if_exists=action.if_exists))
    else:
        request.rename_column.CopyFrom(parser_pb2.RenameColumn(name=action.name, new_name=action.new_name))
    return request
