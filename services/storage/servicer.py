"""The RPCs of storage: check, convert, call, convert; those about models and files are beside this."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from services.storage import answers, convert, convert_copies
from services.storage.commit import commit_rows
from services.storage.parts import Parts
from services.storage.servicer_files import FileCalls
from services.storage.servicer_models import ModelCalls
from services.storage.servicer_transcripts import TranscriptCalls
from services.storage.streams import received_query, received_rows
from thanosql.v1 import storage_pb2
from thanosql_runtime.errors import Reason, error

_Context = grpc.aio.ServicerContext[Any, Any]


class StorageServicer(ModelCalls, FileCalls, TranscriptCalls):
    """Errors travel as exceptions to the runtime's interceptor."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def Query(
        self, request_iterator: AsyncIterator[storage_pb2.QueryRequest], context: _Context
    ) -> AsyncIterator[storage_pb2.QueryResponse]:
        """Run one query over tables and attached relations."""
        async with (
            received_query(request_iterator, self._parts.work) as query,
            aclosing(answers.query_rows(self._parts, query)) as responses,
        ):
            async for response in responses:
                yield response

    async def WriteTable(
        self, request_iterator: AsyncIterator[storage_pb2.WriteTableRequest], context: _Context
    ) -> storage_pb2.WriteTableResponse:
        """Write rows as one commit."""
        work = self._parts.work
        async with received_rows(request_iterator, work) as received, work.turn(received.start.table):
            table = await self._parts.work.change(partial(commit_rows, self._parts, received))
            return storage_pb2.WriteTableResponse(
                table=convert.to_table(table), rows_written=received.spool.row_count
            )

    async def CopyTable(
        self, request: storage_pb2.CopyTableRequest, context: _Context
    ) -> AsyncIterator[storage_pb2.CopyTableResponse]:
        """Make a table from the workspace."""
        async with aclosing(answers.copy_events(self._parts, request)) as responses:
            async for response in responses:
                yield response

    async def ExplainCopy(
        self, request: storage_pb2.ExplainCopyRequest, context: _Context
    ) -> storage_pb2.ExplainCopyResponse:
        """Say what a copy would do."""
        copy = convert_copies.from_copy_request(request)
        explanation = await self._parts.work.command(self._parts.copy_explainer.run, copy)
        return convert_copies.to_copy_explanation(explanation)

    async def UpdateRows(
        self, request: storage_pb2.UpdateRowsRequest, context: _Context
    ) -> storage_pb2.UpdateRowsResponse:
        """Change rows."""
        assignments = convert.from_assignments(request)
        changes = self._parts.changes
        async with self._parts.work.turn(request.table):
            count = await self._parts.work.change(
                lambda stop: changes.update(request.table, assignments, request.condition, stop)
            )
        return storage_pb2.UpdateRowsResponse(rows_changed=count)

    async def DeleteRows(
        self, request: storage_pb2.DeleteRowsRequest, context: _Context
    ) -> storage_pb2.DeleteRowsResponse:
        """Delete rows."""
        delete = self._parts.changes.delete
        async with self._parts.work.turn(request.table):
            count = await self._parts.work.change(lambda stop: delete(request.table, request.condition, stop))
        return storage_pb2.DeleteRowsResponse(rows_deleted=count)

    async def DropTable(
        self, request: storage_pb2.DropTableRequest, context: _Context
    ) -> storage_pb2.DropTableResponse:
        """Drop a table."""
        async with self._parts.work.turn(request.table):
            dropped = await self._parts.work.command(self._parts.quarantines.drop, request.table)
        if not dropped and not request.if_exists:
            await self._parts.work.step(
                self._parts.tables.dataset, request.table
            )  # Says what the nearest table is.
        return storage_pb2.DropTableResponse(dropped=dropped)

    async def AlterTable(
        self, request: storage_pb2.AlterTableRequest, context: _Context
    ) -> storage_pb2.AlterTableResponse:
        """Add, drop or rename a column."""
        changes, call, name = self._parts.changes, self._parts.work.command, request.table
        async with self._parts.work.turn(name):
            match request.WhichOneof("action"):
                case "add_column":
                    add = request.add_column
                    table = await call(changes.add_column, name, add.name, add.type)
                case "drop_column":
                    drop = request.drop_column
                    table = await call(changes.drop_column, name, drop.name, if_exists=drop.if_exists)
                case "rename_column":
                    rename = request.rename_column
                    table = await call(changes.rename_column, name, rename.name, rename.new_name)
                case _:
                    raise error(Reason.INVALID_ARGUMENT, "the request names no action")
        return storage_pb2.AlterTableResponse(table=convert.to_table(table))

    async def GetTable(
        self, request: storage_pb2.GetTableRequest, context: _Context
    ) -> storage_pb2.GetTableResponse:
        """Describe one table."""
        table = await self._parts.work.step(self._parts.quarantines.describe, request.table)
        return storage_pb2.GetTableResponse(table=convert.to_table(table))

    async def ListTables(
        self, request: storage_pb2.ListTablesRequest, context: _Context
    ) -> storage_pb2.ListTablesResponse:
        """List the tables by name."""
        page = await self._parts.work.step(
            self._parts.listing.page, page_size=request.page_size, page_token=request.page_token
        )
        return convert.to_table_page(page)

    async def ListTableVersions(
        self, request: storage_pb2.ListTableVersionsRequest, context: _Context
    ) -> storage_pb2.ListTableVersionsResponse:
        """List the versions of a table, newest first."""
        page = await self._parts.work.step(
            self._parts.history.page,
            request.table,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return convert.to_table_version_page(page)

    async def RestoreTable(
        self, request: storage_pb2.RestoreTableRequest, context: _Context
    ) -> storage_pb2.RestoreTableResponse:
        """Give a table the rows and columns of one of its versions back."""
        restore = self._parts.history.restore
        async with self._parts.work.turn(request.table):
            table = await self._parts.work.command(restore, request.table, request.version)
        return storage_pb2.RestoreTableResponse(table=convert.to_table(table))

    async def ReadSnapshot(
        self, request: storage_pb2.ReadSnapshotRequest, context: _Context
    ) -> AsyncIterator[storage_pb2.ReadSnapshotResponse]:
        """Read the rows that were kept for a job."""
        async with aclosing(answers.snapshot_rows(self._parts, request.snapshot_id)) as responses:
            async for response in responses:
                yield response

    async def DeleteSnapshot(
        self, request: storage_pb2.DeleteSnapshotRequest, context: _Context
    ) -> storage_pb2.DeleteSnapshotResponse:
        """Forget the rows that were kept for a job."""
        await self._parts.work.command(self._parts.snapshots.drop, request.snapshot_id)
        return storage_pb2.DeleteSnapshotResponse()

    async def ListSnapshots(
        self, request: storage_pb2.ListSnapshotsRequest, context: _Context
    ) -> storage_pb2.ListSnapshotsResponse:
        """List the rows that are kept for jobs."""
        page = await self._parts.work.step(
            self._parts.snapshot_listing.page, page_size=request.page_size, page_token=request.page_token
        )
        return convert.to_snapshot_page(page)

    async def ListLeftovers(
        self, request: storage_pb2.ListLeftoversRequest, context: _Context
    ) -> storage_pb2.ListLeftoversResponse:
        """Tell what belongs to nothing, as far as the last round has found it."""
        return convert.to_leftovers(self._parts.reconciliation.latest)
