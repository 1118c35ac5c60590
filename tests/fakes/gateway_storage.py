"""A storage service in memory: tables in DuckDB's hands, models and files in dictionaries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import duckdb
import pyarrow as pa

from tests.fakes.gateway_peer import FakeService
from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc, types_pb2
from thanosql_runtime.arrow import decode_batch, decode_schema, encode_batches, encode_schema
from thanosql_runtime.errors import Reason, ThanosqlError, error

BASE = types_pb2.ModelVersion(
    name="Wav2Vec2En",
    version=1,
    kind=types_pb2.MODEL_KIND_BASE,
    origin="the bundled checkpoint",
    active=True,
)


class FakeStorage(FakeService, storage_pb2_grpc.StorageServiceServicer):
    """Tables by name, models by name, files by path; `calls` are the names of the calls that came."""

    name = "StorageService"
    add_to_server = staticmethod(storage_pb2_grpc.add_StorageServiceServicer_to_server)

    def __init__(self) -> None:
        self.tables: dict[str, pa.Table] = {}
        self.snapshots: dict[str, pa.Table] = {}
        self.deleted_snapshots: list[str] = []
        self.models: dict[str, types_pb2.ModelVersion] = {"Wav2Vec2En": BASE}
        self.models_in_use: set[str] = set()
        self.deleted: list[tuple[str, int]] = []
        self.files: dict[str, bytes] = {}
        self.sources: dict[str, pa.Table] = {}
        self.calls: list[str] = []
        self.open_queries = 0
        self.batches_read = 0
        self.batch_rows = 1000
        self.fail_after_batches: int | None = None

    def put_table(self, name: str, columns: dict[str, list[Any]]) -> None:
        self.tables[name] = pa.table(columns)

    async def Query(self, request_iterator: Any, context: Any) -> AsyncIterator[storage_pb2.QueryResponse]:
        self.calls.append("Query")
        self.open_queries += 1
        try:
            result, read = await self._result(request_iterator)
            yield storage_pb2.QueryResponse(schema=encode_schema(result.schema), tables_read=read)
            for number, batch in enumerate(result.to_batches(max_chunksize=self.batch_rows)):
                if number == self.fail_after_batches:
                    raise error(Reason.STORE_UNAVAILABLE, "the disk is gone")
                self.batches_read += 1
                for message in encode_batches(batch):
                    yield storage_pb2.QueryResponse(record_batch=message)
        finally:
            self.open_queries -= 1

    async def _result(self, requests: Any) -> tuple[pa.Table, list[types_pb2.TableVersion]]:
        relations: dict[str, pa.Table] = {}
        start = None
        schemas: dict[str, pa.Schema] = {}
        batches: dict[str, list[pa.RecordBatch]] = {}
        async for request in requests:
            match request.WhichOneof("part"):
                case "start":
                    start = request.start
                case "relation_schema":
                    part = request.relation_schema
                    schemas[part.relation] = decode_schema(part.schema)
                    batches[part.relation] = []
                case "relation_batch":
                    part = request.relation_batch
                    batches[part.relation].append(decode_batch(part.record_batch, schemas[part.relation]))
        assert start is not None
        assert sorted(start.relations) == sorted(schemas)
        relations = {name: pa.Table.from_batches(batches[name], schemas[name]) for name in schemas}
        known = {name: self._table(name) for name in start.tables}
        read = [types_pb2.TableVersion(table=name, version=1) for name in known]
        read += [types_pb2.TableVersion(table=item.table, version=item.version) for item in start.versions]
        known |= {item.relation: self._table(item.table) for item in start.versions}
        return await asyncio.to_thread(_run_sql, start.sql, known | relations), read

    def _table(self, name: str) -> pa.Table:
        if name not in self.tables:
            raise error(Reason.TABLE_NOT_FOUND, f"table '{name}' does not exist", table=name)
        return self.tables[name]

    async def WriteTable(self, request_iterator: Any, context: Any) -> storage_pb2.WriteTableResponse:
        self.calls.append("WriteTable")
        start, schema, batches, committed = None, None, [], False
        async for request in request_iterator:
            match request.WhichOneof("part"):
                case "start":
                    start = request.start
                case "schema":
                    schema = decode_schema(request.schema)
                case "record_batch":
                    batches.append(decode_batch(request.record_batch, schema))
                case "commit":
                    committed = True
        assert start is not None
        if not committed:
            raise error(Reason.CANCELLED, "the rows ended without a commit")
        written = pa.Table.from_batches(batches, schema)
        self._commit(start, written)
        table = types_pb2.Table(name=start.table, row_count=written.num_rows)
        return storage_pb2.WriteTableResponse(table=table, rows_written=written.num_rows)

    def _commit(self, start: storage_pb2.WriteStart, written: pa.Table) -> None:
        if start.mode == storage_pb2.WRITE_MODE_SNAPSHOT:
            self.snapshots[start.table] = written
        elif start.mode == storage_pb2.WRITE_MODE_APPEND:
            old = self._table(start.table)
            written = written.rename_columns(list(start.columns) or old.column_names)
            self.tables[start.table] = pa.concat_tables([old, written], promote_options="permissive")
        elif start.mode == storage_pb2.WRITE_MODE_CREATE and start.table in self.tables:
            raise error(Reason.TABLE_ALREADY_EXISTS, f"table '{start.table}' exists", table=start.table)
        else:
            self.tables[start.table] = written

    async def CopyTable(self, request: Any, context: Any) -> AsyncIterator[storage_pb2.CopyTableResponse]:
        self.calls.append("CopyTable")
        if request.source not in self.sources:
            raise error(Reason.FILE_NOT_FOUND, f"no file '{request.source}'")
        rows = self.sources[request.source]
        yield storage_pb2.CopyTableResponse(progress=storage_pb2.CopyProgress(rows=1, done=10, total=100))
        self.tables[request.table] = rows
        quarantined = [types_pb2.RowError(row=7, subject="line 9", reason="INVALID_DATA", message="short")]
        result = storage_pb2.CopyResult(
            table=_describe(request.table, rows),
            rows_copied=rows.num_rows,
            rows_quarantined=1,
            quarantined=quarantined,
            quarantine=f"{request.table}_quarantine",
            notices=[types_pb2.Notice(message="column 'a' was widened from int64 to double")],
        )
        yield storage_pb2.CopyTableResponse(result=result)

    async def ExplainCopy(self, request: Any, context: Any) -> storage_pb2.ExplainCopyResponse:
        self.calls.append("ExplainCopy")
        if request.table in self.tables and request.if_exists == parser_pb2.IF_EXISTS_FAIL:
            raise error(Reason.TABLE_ALREADY_EXISTS, f"table '{request.table}' exists", table=request.table)
        if request.source not in self.sources:
            raise error(Reason.FILE_NOT_FOUND, f"no file '{request.source}'")
        rows = self.sources[request.source]
        columns = [types_pb2.Column(name=field.name, type=str(field.type)) for field in rows.schema]
        return storage_pb2.ExplainCopyResponse(format="csv", files=1, size_bytes=9, columns=columns)

    async def UpdateRows(self, request: Any, context: Any) -> storage_pb2.UpdateRowsResponse:
        return storage_pb2.UpdateRowsResponse(rows_changed=self._table(request.table).num_rows)

    async def DeleteRows(self, request: Any, context: Any) -> storage_pb2.DeleteRowsResponse:
        return storage_pb2.DeleteRowsResponse(rows_deleted=self._table(request.table).num_rows)

    async def DropTable(self, request: Any, context: Any) -> storage_pb2.DropTableResponse:
        if not request.if_exists:
            self._table(request.table)
        return storage_pb2.DropTableResponse(dropped=self.tables.pop(request.table, None) is not None)

    async def AlterTable(self, request: Any, context: Any) -> storage_pb2.AlterTableResponse:
        table = self._table(request.table)
        if request.HasField("drop_column"):
            table = table.drop_columns([request.drop_column.name])
        self.tables[request.table] = table
        return storage_pb2.AlterTableResponse(table=_describe(request.table, table))

    async def GetTable(self, request: Any, context: Any) -> storage_pb2.GetTableResponse:
        return storage_pb2.GetTableResponse(table=_describe(request.table, self._table(request.table)))

    async def ListTables(self, request: Any, context: Any) -> storage_pb2.ListTablesResponse:
        names = [name for name in sorted(self.tables) if name > request.page_token]
        page = [_describe(name, self.tables[name]) for name in names[:2]]
        return storage_pb2.ListTablesResponse(tables=page, next_page_token=names[1] if len(names) > 2 else "")

    async def ReadSnapshot(self, request: Any, context: Any) -> AsyncIterator[Any]:
        raise error(Reason.INTERNAL, "the gateway never reads snapshots")
        yield

    async def DeleteSnapshot(self, request: Any, context: Any) -> storage_pb2.DeleteSnapshotResponse:
        self.deleted_snapshots.append(request.snapshot_id)
        self.snapshots.pop(request.snapshot_id, None)
        return storage_pb2.DeleteSnapshotResponse()

    async def GetModel(self, request: Any, context: Any) -> storage_pb2.GetModelResponse:
        return storage_pb2.GetModelResponse(model=self._model(request.name))

    def _model(self, name: str) -> types_pb2.ModelVersion:
        if name not in self.models:
            raise error(Reason.MODEL_NOT_FOUND, f"model '{name}' does not exist", model=name)
        return self.models[name]

    async def ListModels(self, request: Any, context: Any) -> storage_pb2.ListModelsResponse:
        chosen = [m for _, m in sorted(self.models.items()) if not request.kinds or m.kind in request.kinds]
        return storage_pb2.ListModelsResponse(models=chosen)

    async def ListModelVersions(self, request: Any, context: Any) -> storage_pb2.ListModelVersionsResponse:
        return storage_pb2.ListModelVersionsResponse(models=[self._model(request.name)])

    async def RegisterModel(self, request: Any, context: Any) -> storage_pb2.RegisterModelResponse:
        raise error(Reason.INTERNAL, "the gateway never registers models")

    async def ActivateModel(self, request: Any, context: Any) -> storage_pb2.ActivateModelResponse:
        model = types_pb2.ModelVersion()
        model.CopyFrom(self._model(request.name))
        model.version = model.version if request.explain_only else request.version
        return storage_pb2.ActivateModelResponse(model=model)

    async def DeleteModel(self, request: Any, context: Any) -> storage_pb2.DeleteModelResponse:
        if request.if_exists and request.name not in self.models:
            return storage_pb2.DeleteModelResponse()
        self._model(request.name)
        if request.name in self.models_in_use and not request.force:
            raise error(Reason.MODEL_IN_USE, f"model '{request.name}' is in use", model=request.name)
        if not request.explain_only:
            self.deleted.append((request.name, request.version))
            del self.models[request.name]
        return storage_pb2.DeleteModelResponse(versions_deleted=1)

    async def HoldModels(self, request: Any, context: Any) -> storage_pb2.HoldModelsResponse:
        raise error(Reason.INTERNAL, "the gateway never holds models")

    async def WriteFile(self, request_iterator: Any, context: Any) -> storage_pb2.WriteFileResponse:
        path, content, committed = "", b"", False
        async for request in request_iterator:
            path = request.start.path or path
            content += request.chunk
            committed = committed or request.HasField("commit")
        if not committed:
            raise error(Reason.CANCELLED, "the file ended without a commit")
        self.files[f"uploads/{path}"] = content
        file = storage_pb2.File(path=f"uploads/{path}", size_bytes=len(content))
        return storage_pb2.WriteFileResponse(file=file)

    async def GetFileUpload(self, request: Any, context: Any) -> storage_pb2.GetFileUploadResponse:
        self.calls.append("GetFileUpload")
        return storage_pb2.GetFileUploadResponse(received_bytes=len(request.upload_id))

    async def DeleteFile(self, request: Any, context: Any) -> storage_pb2.DeleteFileResponse:
        content = self.files.pop(request.path)
        return storage_pb2.DeleteFileResponse(
            file=storage_pb2.File(path=request.path, size_bytes=len(content))
        )

    async def SignFileUrl(self, request: Any, context: Any) -> storage_pb2.SignFileUrlResponse:
        response = storage_pb2.SignFileUrlResponse(url=f"http://s3/{request.path}")
        response.expire_time.FromSeconds(request.lasts.seconds)
        return response

    async def ReadFile(self, request: Any, context: Any) -> AsyncIterator[storage_pb2.ReadFileResponse]:
        self.calls.append("ReadFile")
        if request.path.startswith("/"):
            raise error(Reason.PATH_OUTSIDE_WORKSPACE, f"'{request.path}' leads out of the workspace")
        if request.path not in self.files:
            raise error(Reason.FILE_NOT_FOUND, f"no file '{request.path}'")
        content = self.files[request.path]
        yield storage_pb2.ReadFileResponse(file=storage_pb2.File(path=request.path, size_bytes=len(content)))
        for start in range(request.offset, len(content), 64 << 10):
            yield storage_pb2.ReadFileResponse(chunk=content[start : start + (64 << 10)])
        yield storage_pb2.ReadFileResponse(end=storage_pb2.FileEnd(sha256="of the whole"))

    async def ListFiles(self, request: Any, context: Any) -> storage_pb2.ListFilesResponse:
        paths = [p for p in sorted(self.files) if p.startswith(request.prefix) and p > request.page_token]
        size = request.page_size or 100
        files = [storage_pb2.File(path=p, size_bytes=len(self.files[p])) for p in paths[:size]]
        token = paths[size - 1] if len(paths) > size else ""
        return storage_pb2.ListFilesResponse(files=files, next_page_token=token)


def _describe(name: str, table: pa.Table) -> types_pb2.Table:
    columns = [types_pb2.Column(name=field.name, type=str(field.type)) for field in table.schema]
    return types_pb2.Table(name=name, row_count=table.num_rows, columns=columns, version=1)


def _run_sql(sql: str, tables: dict[str, pa.Table]) -> pa.Table:
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        try:
            return connection.sql(sql).to_arrow_table()
        except duckdb.Error as failure:
            raise _sql_failure(failure) from failure


def _sql_failure(failure: duckdb.Error) -> ThanosqlError:
    text = str(failure)
    if 'Referenced column "' in text:
        column = text.split('Referenced column "')[1].split('"')[0]
        return error(Reason.COLUMN_NOT_FOUND, f"no column '{column}'", column=column)
    return error(Reason.QUERY_FAILED, text)
