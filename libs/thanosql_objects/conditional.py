"""Whether a server keeps the promise that commits of tables stand on: of two writers of one key, one loses.

LanceDB commits a version with `If-None-Match: *`. A server that ignores the header answers both
writers that they won, and the rows of one of them are gone.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import urllib3
from minio import Minio
from minio.error import MinioException

from thanosql_objects.conditional_put import ACCEPTED, REFUSED, ConditionalPut
from thanosql_runtime.errors import Reason, ThanosqlError, error

_WRITERS = 8


class ConditionalWrites:
    """Tries conditional writes on a bucket.

    Args:
        client: How the server is reached.
        http: Its pool of connections.
        bucket: The bucket.
    """

    def __init__(self, client: Minio, http: urllib3.PoolManager, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._put = ConditionalPut(client, http, bucket)

    def require(self, prefix: str) -> None:
        """Write a new key several times under the prefix: once after another, then all at once.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE, with the remedy, unless exactly one writer wins.
        """
        try:
            with self._probe(prefix) as write:
                first, second = write(0), write(1)
                self._require_kept(first, (first, second), "the second write of one key")
            with self._probe(prefix) as write, ThreadPoolExecutor(_WRITERS) as pool:
                statuses = tuple(pool.map(write, range(_WRITERS)))
                won = next((status for status in statuses if status in ACCEPTED), statuses[0])
                self._require_kept(won, statuses, f"{_WRITERS} writes of one key at once")
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            message = f"conditional writes could not be tried on bucket {self._bucket!r}: {problem}"
            raise error(Reason.STORE_UNAVAILABLE, message) from problem

    @contextlib.contextmanager
    def _probe(self, prefix: str) -> Iterator[Callable[[int], int]]:
        """Give a way to write a new key as one of several writers; it is removed afterwards."""
        key = f"{prefix}.probe-{uuid.uuid4().hex}"
        try:
            yield lambda writer: self._put.send(key, b"%d" % writer)
        finally:
            self._client.remove_object(self._bucket, key)

    def _require_kept(self, first: int, statuses: tuple[int, ...], what: str) -> None:
        if first not in ACCEPTED:
            message = f"the bucket {self._bucket!r} refuses conditional writes with status {first}"
            raise _unsuitable(message)
        winners = [status for status in statuses if status in ACCEPTED]
        if len(winners) > 1:
            message = f"the server of bucket {self._bucket!r} ignores `If-None-Match: *`: of {what}, "
            raise _unsuitable(f"{message}{len(winners)} were accepted, so commits would be lost silently")
        odd = [status for status in statuses if status not in ACCEPTED | REFUSED]
        if odd:
            message = f"the server of bucket {self._bucket!r} answered {what} with status {odd[0]}, not 412"
            raise _unsuitable(message)


def _unsuitable(message: str) -> ThanosqlError:
    remedy = (
        "keep the tables in a directory (THANOSQL_STORAGE__TABLES=/path), or use a server that honours "
        "conditional writes, such as AWS S3, MinIO or Ceph"
    )
    return error(Reason.STORE_UNAVAILABLE, f"tables cannot be kept there: {message}; {remedy}")
