"""How many callers may be inside: one too many is refused at once, before anything of it is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from thanosql_runtime.errors import Reason, ThanosqlError

_RETRY_DELAY_S = 1.0


class Gate:
    """Counts callers.

    Args:
        limit: Most callers inside.
        what: Their name in the refusal, such as `statements`.
    """

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._inside = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside for the time of the block; OVERLOADED, with a time to come back, when it is full."""
        if self._inside >= self._limit:
            raise ThanosqlError(
                reason=Reason.OVERLOADED,
                message=f"{self._inside} {self._what} are being transcribed already; try again later",
                retry_delay_s=_RETRY_DELAY_S,
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
