"""The synchronous client: the asynchronous one, driven from a thread of its own."""

import logging
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import AsyncGeneratorType, TracebackType
from typing import Any, Self, TypeVar

from thanosql.aio import AsyncThanoSQL, OnEvent, closed_meanwhile
from thanosql.dictating import Chunks
from thanosql.events import Event
from thanosql.loop import BackgroundLoop
from thanosql.result import Result, ResultBuilder
from thanosql.transfer import OnProgress
from thanosql.values import Explanation, File, FilePage, FileUrl, Job, LiveTranscript, Progress, ServerInfo

_T = TypeVar("_T")


class ThanoSQL:
    """Runs statements on a server.

    Works in scripts, in notebooks and from several threads at once. Ctrl-C cancels the statement
    in the server too. It does not survive `fork`: a child process must be started with `spawn`, and
    makes a client of its own.

    Example:
        >>> with ThanoSQL() as client:  # doctest: +SKIP
        ...     client.execute("SELECT * FROM librispeech_test LIMIT 5").to_pandas()

    Args:
        address: `host:port`; else THANOSQL_ADDRESS, else 127.0.0.1:50051.
        token: Else THANOSQL_API_TOKEN, else what `thanosql token set` has kept for this address.
    """

    def __init__(self, address: str | None = None, token: str | None = None) -> None:
        self._client = AsyncThanoSQL(address, token)
        self._background = BackgroundLoop()
        self._closed = False
        self._at_last = weakref.finalize(self, self._background.stop)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._client.address

    def __repr__(self) -> str:
        return f"ThanoSQL(address={self.address!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what still runs is cancelled, and later calls are refused."""
        if not self._closed:
            self._closed = True
            try:
                self._background.run(self._client.close)
            finally:
                self._background.stop()
                self._at_last.detach()

    def execute(self, text: str, *, on_event: OnEvent | None = None) -> Result:
        """Run the statements of a text; answers the last one's result.

        Args:
            text: One statement, or several separated by `;`.
            on_event: Called with every event as it comes, in the thread of the caller.

        Raises:
            ThanoSQLError: The first statement that fails ends the call.
            RuntimeError: The client is closed.
        """
        results = self.execute_all(text, on_event=on_event)
        return results[-1] if results else Result()

    def execute_all(self, text: str, *, on_event: OnEvent | None = None) -> list[Result]:
        """Run the statements of a text; answers every result."""
        builder = ResultBuilder()
        with closing(self.stream(text)) as events:
            for event in events:
                if on_event is not None:
                    on_event(event)
                builder.add(event)
        return builder.results

    def stream(self, text: str) -> Generator[Event, None, None]:
        """Run the statements of a text and hand on events as they come; leaving early cancels the work."""
        return self._iterate(lambda client: client.stream(text))

    def dictate(
        self,
        chunks: Chunks,
        *,
        sample_rate_hz: int = 16_000,
        model: str = "tutorial_audio_recognition",
        interim_results: bool = True,
        endpoint_silence_s: float | None = None,
        max_utterance_s: float | None = None,
        words: bool = False,
    ) -> Generator[LiveTranscript, None, None]:
        r"""Transcribe live audio; yields what is heard while the chunks go out.

        The words of an utterance come as interim results, which replace each other, then once as a final one.
        Leaving early ends the dictation. The arguments are those of `AsyncThanoSQL.dictate`.

        Example:
            >>> with wave.open("meeting.wav") as file:  # doctest: +SKIP
            ...     chunks = iter(lambda: file.readframes(1600), b"")
            ...     for heard in client.dictate(chunks, sample_rate_hz=file.getframerate()):
            ...         print(heard.text, end="\n" if heard.is_final else "\r")
        """
        return self._iterate(
            lambda client: client.dictate(
                chunks,
                sample_rate_hz=sample_rate_hz,
                model=model,
                interim_results=interim_results,
                endpoint_silence_s=endpoint_silence_s,
                max_utterance_s=max_utterance_s,
                words=words,
            )
        )

    def explain(self, text: str) -> list[Explanation]:
        """Say what would run, statement by statement, and change nothing."""
        return self._run(lambda client: client.explain(text))

    def jobs(self) -> list[Job]:
        """All training runs, newest first."""
        return self._run(lambda client: client.jobs())

    def job(self, job_id: str) -> Job:
        """One training run."""
        return self._run(lambda client: client.job(job_id))

    def watch_job(self, job_id: str, *, after_sequence: int = 0) -> Generator[Job, None, None]:
        """Follow a training run to its end; leaving early leaves it alone."""
        return self._iterate(lambda client: client.watch_job(job_id, after_sequence=after_sequence))

    def cancel_job(self, job_id: str) -> Job:
        """Stop a training run."""
        return self._run(lambda client: client.cancel_job(job_id))

    def upload(self, local_path: str | Path, path: str, *, on_progress: OnProgress | None = None) -> File:
        """Put a file under `uploads/` of the workspace, whole and verified, or not at all.

        A connection that breaks is made again, and the upload goes on where it was; so does another call
        for the same file and path, until the server forgets what it has kept (a day by default).

        Args:
            local_path: The file here.
            path: Where it goes, such as `uploads/meeting.flac`.
            on_progress: Called now and then with the bytes that were sent, in the thread of the caller.

        Raises:
            OSError: The file cannot be read.
        """
        return self._transfer(lambda client: client.uploading(local_path, path), on_progress)

    def download(self, path: str, local_path: str | Path, *, on_progress: OnProgress | None = None) -> File:
        """Write a file of the workspace to a file here, whole and verified, or not at all.

        A connection that breaks is made again, and the download goes on where it was. What has come of one
        that is given up stays beside its goal as `.NAME.part`, and the next call goes on with it.

        Args:
            path: The file, as statements name it.
            local_path: Where it goes here.
            on_progress: Called now and then with the bytes that have come, in the thread of the caller.

        Raises:
            OSError: The file cannot be written.
        """
        return self._transfer(lambda client: client.downloading(path, local_path), on_progress)

    def files(self, prefix: str = "") -> list[File]:
        """The files of the workspace whose path begins with `prefix`; for very many, see `file_page`."""
        return self._run(lambda client: client.files(prefix))

    def file_page(self, prefix: str = "", *, page_size: int = 1000, page_token: str = "") -> FilePage:
        """Some of the files of the workspace whose path begins with `prefix`, in the order of their paths.

        Args:
            prefix: Start of the paths.
            page_size: Files at most, up to 1000.
            page_token: From the page before; empty for the first one.
        """
        return self._run(lambda client: client.file_page(prefix, page_size=page_size, page_token=page_token))

    def delete_file(self, path: str) -> File:
        """Delete a file under `uploads/` of the workspace; answers what it was.

        Raises:
            NotFound: There is none.
            PermissionDenied: It is not under `uploads/`, and files elsewhere are only read.
        """
        return self._run(lambda client: client.delete_file(path))

    def file_url(self, path: str, *, lasts_s: float = 3600.0) -> FileUrl:
        """An address at which a browser reads a file, without a token, from the S3 server itself.

        Args:
            path: The file, as statements name it.
            lasts_s: How long the address is good, up to seven days.

        Raises:
            NotAvailableYet: The server keeps its files in a directory.
        """
        return self._run(lambda client: client.file_url(path, lasts_s=lasts_s))

    def rotate_token(self) -> str:
        """Replace the token; the old one ends at once, and this client goes on with the new one."""
        return self._run(lambda client: client.rotate_token())

    def server_info(self, *, timeout_s: float = 30.0) -> ServerInfo:
        """What the server is; the cheapest way to see whether it answers."""
        return self._run(lambda client: client.server_info(timeout_s=timeout_s))

    def _transfer(
        self,
        call: Callable[[AsyncThanoSQL], AsyncGenerator[Progress | File, None]],
        on_progress: OnProgress | None,
    ) -> File:
        with closing(self._iterate(call)) as items:
            for item in items:
                if isinstance(item, File):
                    return item
                if on_progress is not None:
                    on_progress(item)
        raise AssertionError("a transfer ends with its file or an error")

    # Coroutines and generators name what they receive too, and here they receive nothing.
    def _run(self, call: Callable[[AsyncThanoSQL], Coroutine[Any, Any, _T]]) -> _T:
        with self._open():
            return self._background.run(lambda: call(self._client))

    def _iterate(
        self, call: Callable[[AsyncThanoSQL], AsyncGenerator[_T, None]]
    ) -> Generator[_T, None, None]:
        with self._open():
            items = call(self._client)
            ended = object()
            step = partial(_next, items, ended)
            try:
                while (item := self._background.run(step)) is not ended:
                    yield item  # type: ignore[misc]  # the sentinel was compared away just before
            finally:
                self._leave(items)

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self._closed:
            raise RuntimeError("the client is closed; make a new one")
        try:
            yield
        except CancelledError:
            if self._closed:
                raise closed_meanwhile() from None
            raise

    def _leave(self, items: AsyncGenerator[Any, None]) -> None:
        try:
            self._end(items)
        except KeyboardInterrupt:
            self._end(items)  # it may not have begun
            raise

    def _end(self, items: AsyncGenerator[Any, None]) -> None:
        with suppress(CancelledError):  # the loop has stopped, and has ended everything in it
            self._background.run(partial(_close, items))


async def _next(items: AsyncGenerator[_T, None], ended: object) -> _T | object:
    return await anext(items, ended)


async def _close(items: AsyncGenerator[Any, None]) -> None:
    # An item still on its way was cancelled and waited for long enough; it ends the generator by itself.
    if isinstance(items, AsyncGeneratorType) and items.ag_running:
        return
    try:
        await items.aclose()
    except Exception:  # raised, it would hide why the caller leaves: an interrupt above all
        logging.getLogger(__name__).debug("leaving a call early failed", exc_info=True)
