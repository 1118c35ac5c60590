"""One storage service in a process of its own, and what its callers do with it, in few words."""

import os
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import grpc
import pyarrow as pa

from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc
from thanosql_runtime.arrow import decode_batch, decode_schema, encode_batches, encode_schema
from thanosql_runtime.channel import PEER_TOKEN_KEY, message_options
from thanosql_runtime.memory import keep_freed_memory

_START_S = 120.0
_STOP_S = 30.0
_LISTENING = "listening on "
_CHUNK_BYTES = 512 << 10


class StorageServer:
    """`python -m services storage` on a free port, for as long as a `with` block lasts.

    Args:
        folder: Holds its home, its log, and the workspace that COPY reads.
        settings: More of its environment, such as where objects are.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.home = folder / "home"
        self.workspace = folder / "workspace"
        self._settings = dict(settings or {})
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    def __enter__(self) -> Self:
        for folder in (self.home, self.workspace):
            folder.mkdir(parents=True, exist_ok=True)
        with (self.home / "server.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services", "storage"],
                env={**os.environ, **self._environment(), **self._settings},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=_STOP_S)

    def client(self) -> "StorageClient":
        """A client with a connection of its own."""
        return StorageClient(self._address, self._token)

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONUNBUFFERED": "1",
            "THANOSQL_HOME": str(self.home),
            "THANOSQL_OBJECTS__WORKSPACE": str(self.workspace),
            "THANOSQL_SERVER__ADDRESS": "127.0.0.1:0",
            "THANOSQL_SERVER__DRAIN_S": "0",
            "THANOSQL_SERVER__PEER_TOKEN": self._token,
            "THANOSQL_SERVER__STOP_ON_STDIN_EOF": "true",
        }

    def _wait_until_ready(self) -> None:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        output = self._process.stdout if self._process else None
        threading.Thread(target=_pump, args=(output, lines), daemon=True).start()
        while (line := lines.get(timeout=_START_S)) != "ready":
            if not line:
                raise RuntimeError(
                    f"storage did not start:\n{(self.home / 'server.log').read_text()[-2000:]}"
                )
            if line.startswith(_LISTENING):
                self._address = line.removeprefix(_LISTENING)


class StorageClient:
    """Calls over one connection; for one thread at a time."""

    def __init__(self, address: str, token: str) -> None:
        keep_freed_memory()  # As the published client does.
        self._channel = grpc.insecure_channel(address, options=message_options())
        self._stub = storage_pb2_grpc.StorageServiceStub(self._channel)
        self._metadata = ((PEER_TOKEN_KEY, token),)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def rows(
        self,
        sql: str,
        table: str,
        *,
        search: storage_pb2.KeywordSearch | None = None,
        vector_search: storage_pb2.VectorSearch | None = None,
    ) -> pa.Table:
        """The rows of a query, or of a search in them."""
        start = storage_pb2.QueryStart(sql=sql, tables=[table], search=search, vector_search=vector_search)
        call = self._stub.Query(iter([storage_pb2.QueryRequest(start=start)]), metadata=self._metadata)
        schema = decode_schema(next(call).schema)
        messages = (part.record_batch for part in call if part.HasField("record_batch"))
        return pa.Table.from_batches([decode_batch(message, schema) for message in messages], schema)

    def copy(self, table: str, source: str) -> None:
        """Make a table of a file of the workspace."""
        request = storage_pb2.CopyTableRequest(
            table=table, source=source, if_exists=parser_pb2.IF_EXISTS_REPLACE
        )
        for _part in self._stub.CopyTable(request, metadata=self._metadata):
            pass

    def write(self, table: str, rows: pa.Table, mode: storage_pb2.WriteMode.ValueType) -> None:
        """Write rows in one commit."""
        self._stub.WriteTable(_write_requests(table, rows, mode), metadata=self._metadata)

    def upload(self, path: str, source: Path) -> None:
        """Put a file under `uploads/`."""
        self._stub.WriteFile(_file_requests(path, source), metadata=self._metadata)

    def download(self, path: str, goal: Path) -> None:
        """Read a file into a local one."""
        request = storage_pb2.ReadFileRequest(path=path)
        with goal.open("wb") as file:
            for part in self._stub.ReadFile(request, metadata=self._metadata):
                file.write(part.chunk)


def _write_requests(
    table: str, rows: pa.Table, mode: storage_pb2.WriteMode.ValueType
) -> Iterator[storage_pb2.WriteTableRequest]:
    yield storage_pb2.WriteTableRequest(start=storage_pb2.WriteStart(table=table, mode=mode))
    yield storage_pb2.WriteTableRequest(schema=encode_schema(rows.schema))
    for batch in rows.to_batches():
        for message in encode_batches(batch):
            yield storage_pb2.WriteTableRequest(record_batch=message)
    yield storage_pb2.WriteTableRequest(commit=storage_pb2.WriteCommit())


def _file_requests(path: str, source: Path) -> Iterator[storage_pb2.WriteFileRequest]:
    yield storage_pb2.WriteFileRequest(start=storage_pb2.FileStart(path=path))
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield storage_pb2.WriteFileRequest(chunk=chunk)
    yield storage_pb2.WriteFileRequest(commit=storage_pb2.FileCommit())


def _pump(output: IO[str] | None, lines: "queue.SimpleQueue[str]") -> None:
    for line in output or ():
        lines.put(line.rstrip("\n"))
    lines.put("")
