"""Downloads: a file comes in as many calls as it takes, and appears here whole and verified."""

import asyncio
import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import AsyncGenerator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from thanosql.convert import to_file
from thanosql.errors import InvalidArgument, InvalidData, NotFound, ThanoSQLError
from thanosql.transfer import (
    BLOCK_BYTES,
    TRANSFER_TIMEOUT_S,
    Behind,
    Caller,
    Patience,
    Teller,
    keep_freed_memory,
)
from thanosql.v1 import gateway_pb2, storage_pb2
from thanosql.values import File, Progress

_DAMAGED = "FILE_DAMAGED"


class Download:
    """A file on its way here."""

    def __init__(self, caller: Caller, path: str, local_path: Path) -> None:
        self._caller = caller
        self._path = path
        self._goal = local_path
        self._patience = Patience(caller.delays_s)
        self._described: storage_pb2.File | None = None
        self._sha256 = ""

    async def run(self) -> AsyncGenerator[Progress | File, None]:
        """Fetch it; yields how far it is, and at the end the file.

        Raises:
            ThanoSQLError: No such file, damaged on its way, or a server away for too long.
            OSError: The file cannot be written.
        """
        with await asyncio.to_thread(Unfinished, self._goal) as unfinished:
            complete = False
            while not complete:
                began_bytes = unfinished.size_bytes
                try:
                    async for progress in self._fetch(unfinished):
                        yield progress
                    self._verify(unfinished)
                    complete = True
                except ThanoSQLError as failure:
                    await self._go_on(unfinished, failure, unfinished.size_bytes > began_bytes)
            await asyncio.to_thread(unfinished.move_to, self._goal)
        assert self._described is not None
        yield to_file(self._described)

    async def _go_on(self, unfinished: "Unfinished", failure: ThanoSQLError, came_further: bool) -> None:
        """Make ready for another try; raises the failure where there is none."""
        if unfinished.is_resumed and (isinstance(failure, InvalidArgument) or failure.reason == _DAMAGED):
            unfinished.start_over()  # What is here is of another file, or of another state of it.
            return
        if self._described is None:
            raise failure  # A server that does not answer at all is not waited for.
        if came_further:
            self._patience.renew()
        await self._patience.bear(failure)
        unfinished.is_resumed = unfinished.size_bytes > 0

    async def _fetch(self, unfinished: "Unfinished") -> AsyncGenerator[Progress, None]:
        """Receive what is not here yet, in one call."""
        request = gateway_pb2.DownloadFileRequest(path=self._path, offset=unfinished.size_bytes)
        block, written, teller = bytearray(), Behind(unfinished.add), Teller("downloading", None)
        with self._caller.calling() as stub:
            call = stub.DownloadFile(request, metadata=self._caller.metadata(), timeout=TRANSFER_TIMEOUT_S)
            try:
                async for part in call:
                    if part.HasField("file"):
                        self._described = part.file
                        keep_freed_memory(part.file.size_bytes)
                        teller = Teller("downloading", part.file.size_bytes)
                    elif part.HasField("end"):
                        self._sha256 = part.end.sha256
                    block += part.chunk
                    if len(block) >= BLOCK_BYTES:
                        await written.hand_over(block)
                        block = bytearray()
                        if progress := teller.due(unfinished.size_bytes):
                            yield progress
            finally:
                call.cancel()
                await written.hand_over(block)
                await written.wait()
        if progress := teller.due(unfinished.size_bytes):
            yield progress

    def _verify(self, unfinished: "Unfinished") -> None:
        described = self._described or storage_pb2.File()
        expected = described.sha256 or self._sha256
        if unfinished.size_bytes == described.size_bytes and expected in ("", unfinished.sha256):
            return
        message = (
            f"{self._path!r} came as {unfinished.size_bytes} bytes with the digest {unfinished.sha256}, not "
            f"as {described.size_bytes} with {expected}: it changed meanwhile, or is damaged; fetch it again"
        )
        raise InvalidData(reason=_DAMAGED, message=message, metadata={"path": self._path})


class Unfinished:
    """What has come of a file; if the download breaks it stays beside its goal, as `.NAME.part`.

    The next download of that name goes on with it. Each works on a name of its own, so two never share one.

    Attributes:
        size_bytes: How much there is.
        is_resumed: True where some of it came in an earlier call.

    Raises:
        OSError: There is no such folder, or it takes no files.
    """

    def __init__(self, goal: Path) -> None:
        self._kept = goal.with_name(f".{goal.name}.part")
        descriptor, name = tempfile.mkstemp(dir=goal.parent, prefix=f".{goal.name}.")
        owner = os.fstat(descriptor).st_uid
        os.close(descriptor)
        self._path = Path(name)
        with contextlib.suppress(FileNotFoundError):
            if _is_plain(self._kept.lstat(), owner):
                self._kept.replace(self._path)
        self._file = _opened(self._path, owner)
        self._digest: Any = hashlib.sha256()  # Any: hashlib names no type for its digests
        self.size_bytes = 0
        while kept := self._file.read(BLOCK_BYTES):
            self._digest.update(kept)
            self.size_bytes += len(kept)
        self.is_resumed = self.size_bytes > 0

    @property
    def sha256(self) -> str:
        """The digest of what there is, in hexadecimal."""
        return str(self._digest.hexdigest())

    def add(self, block: bytearray) -> None:
        """Add bytes."""
        rest = memoryview(block)
        while rest:
            written = self._file.write(rest)
            self._digest.update(rest[:written])
            self.size_bytes += written
            rest = rest[written:]

    def start_over(self) -> None:
        """Forget what there is."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.size_bytes, self.is_resumed = 0, False

    def move_to(self, goal: Path) -> None:
        """Let it appear."""
        self._file.close()
        self._path.replace(goal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        damaged = isinstance(failure, ThanoSQLError) and failure.reason == _DAMAGED
        useless = damaged or isinstance(failure, OSError | NotFound) or not self.size_bytes
        if failure is not None and not useless:
            self._path.replace(self._kept)
        self._path.unlink(missing_ok=True)


def _is_plain(status: os.stat_result, owner: int) -> bool:
    """Tell whether it is a file of ours under this one name: what is written to another may be somebody's."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == owner


def _opened(path: Path, owner: int) -> FileIO:
    """Open a file for reading and writing, unless something else was put in its place meanwhile."""
    flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    file = FileIO(os.open(path, flags), "r+")
    if not _is_plain(os.fstat(file.fileno()), owner):
        file.close()
        raise OSError(errno.EPERM, "the file was replaced by another", str(path))
    return file
