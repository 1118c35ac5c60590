"""Objects of a bucket that are written only where there is none: of several writers of one key, one wins."""

import urllib3
from minio import Minio
from minio.error import S3Error

from thanosql_objects.conditional_put import ACCEPTED, REFUSED, ConditionalPut
from thanosql_runtime.errors import Reason, error

_DENIED = 403


class Creation:
    """Creates objects of a bucket.

    Args:
        client: How the server is reached.
        http: Its pool of connections.
        bucket: The bucket.
    """

    def __init__(self, client: Minio, http: urllib3.PoolManager, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._put = ConditionalPut(client, http, bucket)

    def create(self, key: str, content: bytes) -> bool:
        """Write an object that is not there; False where there is one with other content.

        Where the answer is lost, the object that is there tells: no two writers have the same content.

        Raises:
            ThanosqlError: STORE_READ_ONLY, STORE_UNAVAILABLE.
        """
        try:
            status = self._put.send(key, content)
        except urllib3.exceptions.HTTPError as problem:
            if self._has(key, content):
                return True
            message = f"the object store did not answer for {key!r}: {problem}; check its endpoint and keys"
            raise error(Reason.STORE_UNAVAILABLE, message, path=key) from problem
        if status in ACCEPTED or self._has(key, content):
            return True
        if status in REFUSED:
            return False
        reason = Reason.STORE_READ_ONLY if status == _DENIED else Reason.STORE_UNAVAILABLE
        raise error(reason, f"the object store refused to write {key!r} with status {status}", path=key)

    def _has(self, key: str, content: bytes) -> bool:
        try:
            answer = self._client.get_object(self._bucket, key)
        except S3Error:
            return False
        try:
            return bool(answer.data == content)
        finally:
            answer.close()
            answer.release_conn()
