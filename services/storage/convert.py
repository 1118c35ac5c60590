"""Between messages and the words of the core; protobuf stops here."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta

import numpy as np

from services.storage.core.changing.assigning import Assignment
from services.storage.core.files.reading import FileRange
from services.storage.core.files.uploads import UploadStart, UploadState
from services.storage.core.reconciling.reconciliation import Reconciled
from services.storage.core.searching.nearest import VectorSearch
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.types import (
    ColumnInfo,
    TableAtVersion,
    TableInfo,
    TablePage,
    TableVersion,
    TableVersionPage,
)
from thanosql.v1 import storage_pb2, types_pb2
from thanosql_objects.ports import ObjectInfo, ObjectPage
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.moments import timestamp

_ADDRESS_LASTS = timedelta(hours=1)


def to_table(info: TableInfo) -> types_pb2.Table:
    """A table as the wire tells it."""
    return types_pb2.Table(
        name=info.name,
        row_count=info.row_count,
        columns=columns(info.columns),
        version=info.version,
        update_time=timestamp(info.update_time_s),
        quarantine=info.quarantine,
    )


def to_leftovers(reconciled: Reconciled) -> storage_pb2.ListLeftoversResponse:
    """What belongs to nothing, as the wire tells it."""
    tallies = [
        storage_pb2.LeftoverTally(kind=kind.value, **asdict(tally))
        for kind, tally in reconciled.tallies.items()
        if tally.found or tally.removed
    ]
    told_s = reconciled.time_s
    return storage_pb2.ListLeftoversResponse(
        reconcile_time=timestamp(told_s) if told_s else None, tallies=tallies
    )


def columns(columns: Iterable[ColumnInfo]) -> list[types_pb2.Column]:
    """Columns as the wire tells them."""
    return [types_pb2.Column(name=column.name, type=column.type) for column in columns]


def to_snapshot_page(page: TablePage) -> storage_pb2.ListSnapshotsResponse:
    """A page of the rows that are kept for jobs."""
    snapshots = [
        storage_pb2.Snapshot(snapshot_id=table.name, create_time=timestamp(table.update_time_s))
        for table in page.tables
    ]
    return storage_pb2.ListSnapshotsResponse(snapshots=snapshots, next_page_token=page.next_page_token)


def to_table_page(page: TablePage) -> storage_pb2.ListTablesResponse:
    """A page of tables."""
    tables = [to_table(table) for table in page.tables]
    return storage_pb2.ListTablesResponse(tables=tables, next_page_token=page.next_page_token)


def to_table_version(version: TableVersion) -> types_pb2.TableVersion:
    """A version of a table; its moment is absent where only the version is named."""
    return types_pb2.TableVersion(
        table=version.table,
        version=version.version,
        create_time=timestamp(version.create_time_s) if version.create_time_s else None,
        operation=version.operation,
        row_count=version.row_count,
    )


def to_table_version_page(page: TableVersionPage) -> storage_pb2.ListTableVersionsResponse:
    """A page of the versions of a table."""
    versions = [to_table_version(version) for version in page.versions]
    return storage_pb2.ListTableVersionsResponse(versions=versions, next_page_token=page.next_page_token)


def from_versions(start: storage_pb2.QueryStart) -> list[TableAtVersion]:
    """The tables that a query reads at a version of theirs."""
    return [
        TableAtVersion(relation=item.relation, table=item.table, version=item.version)
        for item in start.versions
    ]


def from_assignments(request: storage_pb2.UpdateRowsRequest) -> list[Assignment]:
    """What UPDATE sets."""
    return [Assignment(column=item.column, expression=item.expression) for item in request.assignments]


def from_search(start: storage_pb2.QueryStart) -> KeywordSearch | VectorSearch | None:
    """Which rows of the query are wanted; None for all."""
    if start.HasField("vector_search"):
        return _vector_search(start)
    if not start.HasField("search"):
        return None
    search = start.search
    _check_search(search)
    return KeywordSearch(
        search_input=search.search_input,
        text_col=search.text_col,
        result_col=search.result_col,
        top_k=search.top_k,
        explain_only=search.explain_only,
    )


def _vector_search(start: storage_pb2.QueryStart) -> VectorSearch:
    search, embedding = start.vector_search, np.array(start.vector_search.embedding, np.float64)
    _check_search(search)
    if start.HasField("search"):
        raise error(Reason.INVALID_ARGUMENT, "a query takes one search, not two")
    if not np.isfinite(embedding).all() or not embedding.any():
        raise error(Reason.INVALID_ARGUMENT, "the embedding searched for must be finite, and not zero")
    return VectorSearch(
        embedding=embedding,
        emb_col=search.emb_col,
        result_col=search.result_col,
        top_k=search.top_k,
        explain_only=search.explain_only,
    )


def _check_search(search: storage_pb2.KeywordSearch | storage_pb2.VectorSearch) -> None:
    if search.top_k < 1 or not search.result_col:
        raise error(Reason.INVALID_ARGUMENT, "a search needs a top_k of at least 1, and a result_col")


def to_file(info: ObjectInfo) -> storage_pb2.File:
    """A file of the workspace."""
    update_time = timestamp(info.modified_s) if info.modified_s else None
    return storage_pb2.File(
        path=info.key, size_bytes=info.size_bytes, sha256=info.sha256, update_time=update_time
    )


def from_file_start(start: storage_pb2.FileStart, workspace: Workspace) -> UploadStart:
    """What is uploaded where."""
    size_bytes = start.size_bytes if start.HasField("size_bytes") else None
    if not 0 <= start.offset <= (start.offset if size_bytes is None else size_bytes):
        raise error(Reason.INVALID_ARGUMENT, f"offset {start.offset} is not within the file")
    if start.offset and not start.upload_id:
        raise error(Reason.INVALID_ARGUMENT, "an upload that goes on at an offset needs its upload_id")
    return UploadStart(
        key=workspace.upload_key(start.path),
        upload_id=start.upload_id,
        offset=start.offset,
        size_bytes=size_bytes,
    )


def to_file_upload(state: UploadState) -> storage_pb2.GetFileUploadResponse:
    """How far an upload is."""
    return storage_pb2.GetFileUploadResponse(
        received_bytes=state.received_bytes,
        expire_time=None if state.expires_s is None else timestamp(state.expires_s),
        file=None if state.file is None else to_file(state.file),
    )


def from_lasts(request: storage_pb2.SignFileUrlRequest) -> tuple[timedelta, float]:
    """How long an address is good, and the moment when it ends, told a little too early."""
    lasts = request.lasts.ToTimedelta() if request.HasField("lasts") else _ADDRESS_LASTS
    return lasts, time.time() + lasts.total_seconds()


def to_signed_url(url: str, expires_s: float) -> storage_pb2.SignFileUrlResponse:
    """An address for browsers."""
    return storage_pb2.SignFileUrlResponse(url=url, expire_time=timestamp(expires_s))


def from_file_range(request: storage_pb2.ReadFileRequest) -> FileRange:
    """Which bytes of which file."""
    return FileRange(path=request.path, offset=request.offset, length=request.length)


def to_file_page(page: ObjectPage) -> storage_pb2.ListFilesResponse:
    """A page of files."""
    files = [to_file(info) for info in page.objects]
    return storage_pb2.ListFilesResponse(files=files, next_page_token=page.next_page_token)
