"""What a server of objects says, in the errors of the port."""

import contextlib
from collections.abc import Iterator

import urllib3
from minio.error import InvalidResponseError, MinioException, S3Error

from thanosql_objects.keys import outside
from thanosql_runtime.errors import Reason, error

MISSING = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound", "404"})


@contextlib.contextmanager
def translated(key: str) -> Iterator[None]:
    """Turn what the client says into the errors of the port."""
    try:
        yield
    except (S3Error, InvalidResponseError, MinioException) as problem:
        if isinstance(problem, S3Error) and problem.code in ("AccessDenied", "AllAccessDisabled"):
            raise error(Reason.STORE_READ_ONLY, f"the object store denies access to {key!r}") from problem
        if isinstance(problem, S3Error) and problem.code == "KeyTooLongError":
            raise outside(key) from problem
        raise error(Reason.STORE_UNAVAILABLE, f"the object store failed at {key!r}: {problem}") from problem
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
        message = f"the object store did not answer for {key!r}: {problem}; check its endpoint and keys"
        raise error(Reason.STORE_UNAVAILABLE, message) from problem
