"""What every object store can do, whatever keeps the bytes.

The port is synchronous and safe to use from many threads: asynchronous callers run it in an
executor of their own, so that one of them cannot starve another.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

PAGE_SIZE = 1000
READ_LIMIT_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One object.

    Attributes:
        key: Its name: segments joined by `/`, never absolute.
        size_bytes: Its length.
        sha256: Digest in hexadecimal; empty where the store was not told it.
        modified_s: Seconds since the epoch of its last write.
        revision: Another text whenever the content may be another.
    """

    key: str
    size_bytes: int
    sha256: str = ""
    modified_s: float = 0.0
    revision: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class ObjectPage:
    """One page of a listing, in the order of the keys; an empty token means that it is the last."""

    objects: tuple[ObjectInfo, ...]
    next_page_token: str = ""


class ObjectStore(Protocol):
    """A flat space of named byte strings.

    Every method raises `ThanosqlError`: FILE_NOT_FOUND for a key that is not there,
    PATH_OUTSIDE_WORKSPACE for a key that leaves the store, STORE_UNAVAILABLE when the store does
    not answer, STORE_READ_ONLY for a write that it does not take.
    """

    def read(self, key: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """Read a small object whole; INVALID_DATA when it is larger than the limit."""

    def open(self, key: str, *, whole: bool = False) -> BinaryIO:
        """Open an object for reading and seeking; the caller closes it.

        Args:
            key: The object.
            whole: It is read from its start to its end, which a server then sends as one answer.
        """

    def write(self, key: str, chunks: Iterable[bytes]) -> ObjectInfo:
        """Write an object: the whole of it becomes visible at once, or nothing does."""

    def create(self, key: str, content: bytes) -> bool:
        """Write an object where there is none, and say whether there was none.

        Of several writers of one key, one wins. In a bucket no two of them may have the same content.
        """

    def upload_from(self, key: str, path: Path) -> ObjectInfo:
        """Write an object from a local file, with the promise of `write`."""

    def take(self, key: str, path: Path, sha256: str) -> ObjectInfo:
        """Write an object from a local file of that digest, which is gone afterwards, or may be."""

    def incoming(self) -> AbstractContextManager[Path]:
        """Give the path of a local file that `take` can put in its place; what is left there goes.

        What the disk says about it is raised as it is.
        """

    def download_to(self, key: str, path: Path) -> ObjectInfo:
        """Copy an object into a local file, which appears only when it is complete."""

    def stat(self, key: str) -> ObjectInfo:
        """Describe one object."""

    def find(self, key: str) -> ObjectInfo | None:
        """Describe one object; None where there is none."""

    def touch(self, key: str) -> bool:
        """Make the present the time of an object's last write, and say whether there is such an object."""

    def sign(self, key: str, lasts: timedelta) -> str:
        """Give an address at which anybody reads the object for a while; NOT_AVAILABLE_YET in a directory."""

    def exists(self, key: str) -> bool:
        """Tell whether the key names an object."""

    def list(self, prefix: str = "", *, page_token: str = "", page_size: int = PAGE_SIZE) -> ObjectPage:
        """List the objects whose key starts with the prefix."""

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """Name what stands before the next slash in the keys that start with the prefix, sorted."""

    def walk(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield all objects whose key starts with the prefix, in the order of their keys, one at a time."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def delete_prefix(self, prefix: str) -> int:
        """Remove every object whose key starts with the prefix, and say how many they were."""

    def check(self) -> None:
        """Raise STORE_UNAVAILABLE unless the store answers now."""
