"""How much memory this process has for itself, as the system counts it."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

ReadBytes = Callable[[], int | None]


def own_bytes() -> int | None:
    """Return the memory that no other process and no file shares; None where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        _size, resident, shared, *_ = _STATM.read_text().split()
        return (int(resident) - int(shared)) * _PAGE_BYTES
    return None


class Growth:
    """By how much the process has grown since it last was at rest.

    Args:
        most_bytes: By how much it may.
        read: Tells how much it has.
    """

    def __init__(self, most_bytes: int, read: ReadBytes = own_bytes) -> None:
        self.most_bytes = most_bytes
        self._read = read
        self._rest_bytes: int | None = None

    def rest(self) -> None:
        """Note that nothing computes: what the process has now is not what a query took."""
        self._rest_bytes = self._read()

    def is_too_large(self) -> bool:
        """Tell whether it has grown too much."""
        if self._rest_bytes is None:
            self.rest()
        now_bytes = self._read()
        if now_bytes is None or self._rest_bytes is None:
            return False
        return now_bytes - self._rest_bytes > self.most_bytes
