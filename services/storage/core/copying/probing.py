"""What the headers of recordings say, several files at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

from thanosql_audio.decoding import probe
from thanosql_audio.types import AudioInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error

# An object store answers each request in milliseconds: one after the other, that would be all the time.
_AT_ONCE = 8
_AHEAD = 64

_T = TypeVar("_T")
Header: TypeAlias = AudioInfo | ThanosqlError


def headers(
    workspace: Workspace, items: Iterable[_T], path_of: Callable[[_T], str]
) -> Iterator[tuple[_T, Header]]:
    """Yield each item with what the header of its recording says, or why it says nothing.

    Raises:
        ThanosqlError: STORE_UNAVAILABLE, which is no fault of a recording.
    """
    waiting: deque[tuple[_T, Future[Header]]] = deque()
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="storage-probe")
    try:
        for item in items:
            waiting.append((item, pool.submit(_header, workspace, path_of(item))))
            if len(waiting) >= _AHEAD:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: "deque[tuple[_T, Future[Header]]]") -> tuple[_T, Header]:
    item, future = waiting.popleft()
    return item, future.result()


def _header(workspace: Workspace, path: str) -> Header:
    try:
        with workspace.open(path) as file:
            info = probe(file)
    except ThanosqlError as problem:
        if problem.reason is Reason.STORE_UNAVAILABLE:
            raise
        return problem
    if info.duration_s == 0:
        return error(Reason.AUDIO_EMPTY, "the recording holds no audio: its length is 0 s", path=path)
    return info
