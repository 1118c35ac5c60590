"""How many statements run at once: those above the limit are told to come back, at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from thanosql_runtime.errors import Reason, ThanosqlError


class Admission:
    """Counts the calls inside."""

    def __init__(self, limit: int, retry_delay_s: float) -> None:
        self._limit = limit
        self._retry_delay_s = retry_delay_s
        self.inside = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Be one of the calls inside; OVERLOADED where there are enough."""
        if self.inside >= self._limit:
            raise ThanosqlError(
                reason=Reason.OVERLOADED,
                message=f"{self._limit} calls run already; try again in {self._retry_delay_s:g} s",
                metadata={"limit": str(self._limit)},
                retry_delay_s=self._retry_delay_s,
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
