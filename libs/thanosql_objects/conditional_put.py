"""One request to a bucket: write a key if nothing is there, and tell what the server said."""

from datetime import timedelta

import urllib3
from minio import Minio

_VALID = timedelta(minutes=5)

ACCEPTED = frozenset({200, 201, 204})
"""What a server says to the writer that won."""

REFUSED = frozenset({409, 412})
"""What a server says to the writer that lost; 409 where both wrote at the same moment."""


class ConditionalPut:
    """Sends `If-None-Match: *`, which the client cannot.

    Args:
        client: Signs the request.
        http: Its pool of connections.
        bucket: The bucket.
    """

    def __init__(self, client: Minio, http: urllib3.PoolManager, bucket: str) -> None:
        self._client = client
        self._http = http
        self._bucket = bucket

    def send(self, key: str, content: bytes) -> int:
        """Try to write an object, once, and return the status of the answer.

        Raises:
            urllib3.exceptions.HTTPError: The server did not answer; the object may have been written.
        """
        url = self._client.get_presigned_url("PUT", self._bucket, key, expires=_VALID)
        # Without retries: a repeated request would lose against itself.
        headers = {"If-None-Match": "*"}
        return self._http.request("PUT", url, body=content, headers=headers, retries=False).status
