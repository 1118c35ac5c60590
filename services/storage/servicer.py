"""The RPCs of storage: check, convert, call, convert."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from services.storage import answers, convert, convert_copies, convert_models
from services.storage.commit import commit_rows
from services.storage.core.paging import page_length
from services.storage.parts import Parts
from services.storage.streams import receive_file, received_query, received_rows, received_start
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_runtime.errors import Reason, error

_Context = grpc.aio.ServicerContext[Any, Any]


class StorageServicer(storage_pb2_grpc.StorageServiceServicer):
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

    async def GetModel(
        self, request: storage_pb2.GetModelRequest, context: _Context
    ) -> storage_pb2.GetModelResponse:
        """Describe one version of a model."""
        model = await self._parts.work.step(self._parts.models.get, request.name, request.version)
        return storage_pb2.GetModelResponse(model=convert_models.to_model(model))

    async def ListModels(
        self, request: storage_pb2.ListModelsRequest, context: _Context
    ) -> storage_pb2.ListModelsResponse:
        """List models by name, each by its active version."""
        page = await self._parts.work.step(
            self._parts.models.page,
            page_size=request.page_size,
            page_token=request.page_token,
            kinds=convert_models.from_kinds(request),
        )
        return convert_models.to_model_page(page)

    async def ListModelVersions(
        self, request: storage_pb2.ListModelVersionsRequest, context: _Context
    ) -> storage_pb2.ListModelVersionsResponse:
        """List the versions of a model, newest first."""
        page = await self._parts.work.step(
            self._parts.models.version_page,
            request.name,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return convert_models.to_version_page(page)

    async def RegisterModel(
        self, request: storage_pb2.RegisterModelRequest, context: _Context
    ) -> storage_pb2.RegisterModelResponse:
        """Make a version of a model known, and active."""
        registered = await self._parts.work.command(
            self._parts.models.register,
            convert_models.from_model(request.model),
            overwrite=request.overwrite,
            request_id=request.request_id,
        )
        return storage_pb2.RegisterModelResponse(model=convert_models.to_model(registered))

    async def ActivateModel(
        self, request: storage_pb2.ActivateModelRequest, context: _Context
    ) -> storage_pb2.ActivateModelResponse:
        """Make a version the one that statements use when they name none."""
        model = await self._parts.work.command(
            self._parts.models.activate,
            request.name,
            request.version,
            explain_only=request.explain_only,
        )
        return storage_pb2.ActivateModelResponse(model=convert_models.to_model(model))

    async def DeleteModel(
        self, request: storage_pb2.DeleteModelRequest, context: _Context
    ) -> storage_pb2.DeleteModelResponse:
        """Delete a model with its versions and files."""
        count = await self._parts.work.command(
            self._parts.models.delete, convert_models.from_deletion(request)
        )
        return storage_pb2.DeleteModelResponse(versions_deleted=count)

    async def HoldModels(
        self, request: storage_pb2.HoldModelsRequest, context: _Context
    ) -> storage_pb2.HoldModelsResponse:
        """Take which versions a process uses."""
        holds = convert_models.from_holds(request)
        missing = await self._parts.work.step(self._parts.models.hold, request.holder_id, holds)
        return convert_models.to_missing(missing, self._parts.models.holds_last_s)

    async def WriteFile(
        self, request_iterator: AsyncIterator[storage_pb2.WriteFileRequest], context: _Context
    ) -> storage_pb2.WriteFileResponse:
        """Put a file under `uploads/`."""
        start = convert.from_file_start(await received_start(request_iterator), self._parts.objects.workspace)
        info = await receive_file(request_iterator, start, self._parts.uploads, self._parts.work)
        return storage_pb2.WriteFileResponse(file=convert.to_file(info))

    async def GetFileUpload(
        self, request: storage_pb2.GetFileUploadRequest, context: _Context
    ) -> storage_pb2.GetFileUploadResponse:
        """Say how much of an upload has arrived."""
        key = self._parts.objects.workspace.upload_key(request.path)
        state = await self._parts.work.step(self._parts.uploads.state, key, request.upload_id)
        return convert.to_file_upload(state)

    async def ReadFile(
        self, request: storage_pb2.ReadFileRequest, context: _Context
    ) -> AsyncIterator[storage_pb2.ReadFileResponse]:
        """Read a file of the workspace."""
        async with aclosing(answers.file_parts(self._parts, convert.from_file_range(request))) as responses:
            async for response in responses:
                yield response

    async def DeleteFile(
        self, request: storage_pb2.DeleteFileRequest, context: _Context
    ) -> storage_pb2.DeleteFileResponse:
        """Delete a file under `uploads/`."""
        info = await self._parts.work.step(self._parts.objects.workspace.delete, request.path)
        return storage_pb2.DeleteFileResponse(file=convert.to_file(info))

    async def SignFileUrl(
        self, request: storage_pb2.SignFileUrlRequest, context: _Context
    ) -> storage_pb2.SignFileUrlResponse:
        """Sign an address for browsers."""
        lasts, expires_s = convert.from_lasts(request)
        url = await self._parts.work.step(self._parts.objects.workspace.sign, request.path, lasts)
        return convert.to_signed_url(url, expires_s)

    async def ListFiles(
        self, request: storage_pb2.ListFilesRequest, context: _Context
    ) -> storage_pb2.ListFilesResponse:
        """List the files of the workspace by path."""
        size = page_length(request.page_size)
        page = await self._parts.work.step(
            self._parts.objects.workspace.list, request.prefix, page_token=request.page_token, page_size=size
        )
        return convert.to_file_page(page)

    async def ListLeftovers(
        self, request: storage_pb2.ListLeftoversRequest, context: _Context
    ) -> storage_pb2.ListLeftoversResponse:
        """Tell what belongs to nothing, as far as the last round has found it."""
        return convert.to_leftovers(self._parts.reconciliation.latest)
