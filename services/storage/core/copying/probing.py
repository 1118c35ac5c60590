"""Recordings looked at, or taken into keeping, several at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

from services.storage.core.types import Recording
from thanosql_runtime.errors import Reason, ThanosqlError

# An object store answers each request in milliseconds: one after the other, that would be all the time.
_AT_ONCE = 8
_AHEAD = 64

_T = TypeVar("_T")
Found: TypeAlias = Recording | ThanosqlError
Look: TypeAlias = Callable[[str], Recording]
"""Says what there is at a path, or raises why there is nothing."""


def looked(
    look: Look, items: Iterable[_T], path_of: Callable[[_T], str], stop: Callable[[], None]
) -> Iterator[tuple[_T, Found]]:
    """Yield each item with its recording, or with why there is none.

    Args:
        look: Looks at one.
        items: What names them.
        path_of: The path of one.
        stop: Called when nobody wants the rest, before those that are being looked at are waited for.

    Raises:
        ThanosqlError: STORE_UNAVAILABLE, which is no fault of a recording.
    """
    waiting: deque[tuple[_T, Future[Found]]] = deque()
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="storage-probe")
    try:
        for item in items:
            waiting.append((item, pool.submit(_found, look, path_of(item))))
            if len(waiting) >= _AHEAD:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: "deque[tuple[_T, Future[Found]]]") -> tuple[_T, Found]:
    item, future = waiting.popleft()
    return item, future.result()


def _found(look: Look, path: str) -> Found:
    try:
        return look(path)
    except ThanosqlError as problem:
        if problem.reason is Reason.STORE_UNAVAILABLE:
            raise
        return problem
