"""Uploads from pipes: they are left at once, whatever their writers do."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from thanosql.aio_files import AsyncFiles
from thanosql.transfer import CHUNK_BYTES


class Call:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[int] = asyncio.Queue()

    def add_done_callback(self, _read: Callable[[Any], None]) -> None: ...

    async def write(self, request: Any) -> None:
        await self.sent.put(len(request.chunk))

    def cancel(self) -> None: ...


class Files(AsyncFiles):
    """Files of a server that takes one upload."""

    def __init__(self, call: Call) -> None:
        self._call = call

    @contextmanager
    def _calling(self, text: str = "") -> Iterator[Any]:
        yield self

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def UploadFile(self, **_: object) -> Call:
        return self._call


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A pipe with a name, and its writing end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    yield path, end
    os.close(end)


async def test_an_upload_from_a_silent_pipe_is_left_at_once(pipe: tuple[Path, int]) -> None:
    path, end = pipe
    call = Call()
    uploading = asyncio.create_task(Files(call).upload(path, "uploads/a"))
    await asyncio.to_thread(_write, end, CHUNK_BYTES)
    assert [await call.sent.get() for _ in range(2)] == [0, CHUNK_BYTES]
    has_spoken = threading.Event()

    def speak() -> None:
        has_spoken.set()
        _write(end, CHUNK_BYTES)

    late = threading.Timer(5, speak)
    late.start()
    uploading.cancel()
    await asyncio.wait([uploading])
    assert not has_spoken.is_set()
    late.cancel()
    _write(end, 1)


def _write(end: int, size_bytes: int) -> None:
    while size_bytes:
        size_bytes -= os.write(end, bytes(size_bytes))
