"""The calls of the asynchronous client that are about files."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from thanosql.convert import to_file, to_time
from thanosql.downloading import Download
from thanosql.transfer import CALL_TIMEOUT_S, Caller, OnProgress
from thanosql.uploading import Source, Upload
from thanosql.v1 import gateway_pb2, gateway_pb2_grpc
from thanosql.values import File, FilePage, FileUrl, Progress

_PAGE_SIZE = 1000


class AsyncFiles(ABC):
    """Files of the workspace."""

    @abstractmethod
    def _calling(self, text: str = "") -> "AbstractContextManager[gateway_pb2_grpc.GatewayServiceAsyncStub]":
        """What to call with; failures inside come as errors of this package."""

    @abstractmethod
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""

    async def upload(
        self, local_path: str | Path, path: str, *, on_progress: OnProgress | None = None
    ) -> File:
        """Put a file under `uploads/` of the workspace, whole and verified, or not at all.

        A connection that breaks is made again, and the upload goes on where it was; so does another call
        for the same file and path, until the server forgets what it has kept (a day by default).

        Args:
            local_path: The file here.
            path: Where it goes, such as `uploads/meeting.flac`.
            on_progress: Called now and then with the bytes that were sent.

        Raises:
            OSError: The file cannot be read.
        """
        return await _last(self.uploading(local_path, path), on_progress)

    async def uploading(self, local_path: str | Path, path: str) -> AsyncGenerator[Progress | File, None]:
        """Upload as `upload` does, and yield how far it is; the file comes last."""
        # Closing one with a buffer would wait for a read that has begun, which a silent pipe never ends.
        with await asyncio.to_thread(Path(local_path).open, "rb", buffering=0) as file:
            source = Source.of(file, Path(local_path), path)
            async with aclosing(Upload(self._caller(), source).run()) as items:
                async for item in items:
                    yield item

    async def download(
        self, path: str, local_path: str | Path, *, on_progress: OnProgress | None = None
    ) -> File:
        """Write a file of the workspace to a file here, whole and verified, or not at all.

        A connection that breaks is made again, and the download goes on where it was. What has come of one
        that is given up stays beside its goal as `.NAME.part`, and the next call goes on with it.

        Args:
            path: The file, as statements name it.
            local_path: Where it goes here.
            on_progress: Called now and then with the bytes that have come.

        Raises:
            OSError: The file cannot be written.
        """
        return await _last(self.downloading(path, local_path), on_progress)

    async def downloading(self, path: str, local_path: str | Path) -> AsyncGenerator[Progress | File, None]:
        """Download as `download` does, and yield how far it is; the file comes last."""
        async with aclosing(Download(self._caller(), path, Path(local_path)).run()) as items:
            async for item in items:
                yield item

    async def files(self, prefix: str = "") -> list[File]:
        """The files of the workspace whose path begins with `prefix`; for very many, see `file_page`."""
        found: list[File] = []
        page = await self.file_page(prefix)
        found += page.files
        while page.next_page_token:
            page = await self.file_page(prefix, page_token=page.next_page_token)
            found += page.files
        return found

    async def file_page(
        self, prefix: str = "", *, page_size: int = _PAGE_SIZE, page_token: str = ""
    ) -> FilePage:
        """Some of the files of the workspace whose path begins with `prefix`, in the order of their paths.

        Args:
            prefix: Start of the paths.
            page_size: Files at most, up to 1000.
            page_token: From the page before; empty for the first one.
        """
        request = gateway_pb2.ListWorkspaceFilesRequest(
            prefix=prefix, page_size=page_size, page_token=page_token
        )
        with self._calling() as stub:
            page = await stub.ListWorkspaceFiles(request, metadata=self._metadata(), timeout=CALL_TIMEOUT_S)
        files = tuple(to_file(file) for file in page.files)
        return FilePage(files=files, next_page_token=page.next_page_token)

    async def delete_file(self, path: str) -> File:
        """Delete a file under `uploads/` of the workspace; answers what it was.

        Raises:
            NotFound: There is none.
            PermissionDenied: It is not under `uploads/`, and files elsewhere are only read.
        """
        request = gateway_pb2.DeleteWorkspaceFileRequest(path=path)
        with self._calling() as stub:
            answer = await stub.DeleteWorkspaceFile(
                request, metadata=self._metadata(), timeout=CALL_TIMEOUT_S
            )
        return to_file(answer.file)

    async def file_url(self, path: str, *, lasts_s: float = 3600.0) -> FileUrl:
        """An address at which a browser reads a file, without a token, from the S3 server itself.

        Args:
            path: The file, as statements name it.
            lasts_s: How long the address is good, up to seven days.

        Raises:
            NotAvailableYet: The server keeps its files in a directory.
        """
        lasts = Duration()
        lasts.FromMicroseconds(round(lasts_s * 1e6))
        request = gateway_pb2.GetFileUrlRequest(path=path, lasts=lasts)
        with self._calling() as stub:
            answer = await stub.GetFileUrl(request, metadata=self._metadata(), timeout=CALL_TIMEOUT_S)
        return FileUrl(url=answer.url, expires=to_time(answer.expire_time))

    def _caller(self) -> Caller:
        return Caller(calling=self._calling, metadata=self._metadata)


async def _last(items: AsyncGenerator[Progress | File, None], on_progress: OnProgress | None) -> File:
    """The file at the end of a transfer."""
    async with aclosing(items):
        async for item in items:
            if isinstance(item, File):
                return item
            if on_progress is not None:
                on_progress(item)
    raise AssertionError("a transfer ends with its file or an error")
