"""Whether a server keeps the promise that commits of tables stand on: of two writers of one key, one loses.

LanceDB commits a version with `If-None-Match: *`. A server that ignores the header answers both
writers that they won, and the rows of one of them are gone.
"""

import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import urllib3
from minio import Minio
from minio.error import MinioException

from thanosql_runtime.errors import Reason, ThanosqlError, error

_WRITERS = 8
_VALID = timedelta(minutes=5)
# What a server says to the writer that lost; 409 where both wrote at the same moment.
_REFUSED = frozenset({409, 412})
_ACCEPTED = frozenset({200, 201, 204})


class ConditionalWrites:
    """Tries conditional writes on a bucket.

    Args:
        client: How the server is reached.
        http: Its pool of connections, for requests with a header that the client cannot send.
        bucket: The bucket.
    """

    def __init__(self, client: Minio, http: urllib3.PoolManager, bucket: str) -> None:
        self._client = client
        self._http = http
        self._bucket = bucket

    def require(self, prefix: str) -> None:
        """Write a new key several times under the prefix: once after another, then all at once.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE, with the remedy, unless exactly one writer wins.
        """
        try:
            with self._probe(prefix) as url:
                first, second = self._put(url, 0), self._put(url, 1)
                self._require_kept(first, (first, second), url, "the second write of one key")
            with self._probe(prefix) as url, ThreadPoolExecutor(_WRITERS) as pool:
                statuses = tuple(pool.map(lambda writer: self._put(url, writer), range(_WRITERS)))
                won = next((status for status in statuses if status in _ACCEPTED), statuses[0])
                self._require_kept(won, statuses, url, f"{_WRITERS} writes of one key at once")
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            message = f"conditional writes could not be tried on bucket {self._bucket!r}: {problem}"
            raise error(Reason.STORE_UNAVAILABLE, message) from problem

    @contextlib.contextmanager
    def _probe(self, prefix: str) -> Iterator[str]:
        key = f"{prefix}.probe-{uuid.uuid4().hex}"
        try:
            yield self._client.get_presigned_url("PUT", self._bucket, key, expires=_VALID)
        finally:
            self._client.remove_object(self._bucket, key)

    def _put(self, url: str, writer: int) -> int:
        # Without retries: a repeated request would lose against itself.
        headers = {"If-None-Match": "*"}
        answer = self._http.request("PUT", url, body=b"%d" % writer, headers=headers, retries=False)
        return answer.status

    def _require_kept(self, first: int, statuses: tuple[int, ...], url: str, what: str) -> None:
        if first not in _ACCEPTED:
            message = f"the bucket {self._bucket!r} refuses conditional writes with status {first}"
            raise _unsuitable(message)
        winners = [status for status in statuses if status in _ACCEPTED]
        if len(winners) > 1:
            message = f"the server of bucket {self._bucket!r} ignores `If-None-Match: *`: of {what}, "
            raise _unsuitable(f"{message}{len(winners)} were accepted, so commits would be lost silently")
        odd = [status for status in statuses if status not in _ACCEPTED | _REFUSED]
        if odd:
            message = f"the server of bucket {self._bucket!r} answered {what} with status {odd[0]}, not 412"
            raise _unsuitable(message)


def _unsuitable(message: str) -> ThanosqlError:
    remedy = (
        "keep the tables in a directory (THANOSQL_STORAGE__TABLES=/path), or use a server that honours "
        "conditional writes, such as AWS S3, MinIO or Ceph"
    )
    return error(Reason.STORE_UNAVAILABLE, f"tables cannot be kept there: {message}; {remedy}")
