"""What the operating system says of files, in the errors of the port."""

import contextlib
import errno
from collections.abc import Iterator

from thanosql_objects.keys import not_found
from thanosql_runtime.errors import Reason, error


@contextlib.contextmanager
def translated(key: str) -> Iterator[None]:
    """Turn what the operating system says into the errors of the port."""
    try:
        yield
    except FileNotFoundError as problem:
        raise not_found(key) from problem
    except OSError as problem:
        if problem.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            message = f"{key!r}: the store does not permit this: {problem.strerror}"
            raise error(Reason.STORE_READ_ONLY, message, path=key) from problem
        if problem.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            message = f"{key!r} is not a file, or lies under one: {problem.strerror}"
            raise error(Reason.INVALID_ARGUMENT, message, path=key) from problem
        message = f"the object store failed at {key!r}: {problem.strerror or problem}"
        raise error(Reason.STORE_UNAVAILABLE, message, path=key) from problem
