"""The rule for keys and for paths that users write."""

import difflib
from collections.abc import Iterable

from thanosql_runtime.errors import Reason, ThanosqlError, error

_MAX_KEY_BYTES = 1024


def clean_key(key: str) -> str:
    """Return the key with `.` segments and doubled slashes removed.

    Raises:
        ThanosqlError: PATH_OUTSIDE_WORKSPACE for an absolute key or one with `..`;
            INVALID_ARGUMENT for one that can name nothing.
    """
    cleaned = clean_prefix(key).strip("/")
    if not cleaned:
        raise error(Reason.INVALID_ARGUMENT, f"{key!r} does not name a file", path=key)
    return cleaned


def clean_prefix(prefix: str) -> str:
    """Return a prefix of keys in the same form; it may be empty or end in a slash."""
    if "\0" in prefix or len(prefix.encode("utf-8", "surrogatepass")) > _MAX_KEY_BYTES:
        raise error(Reason.INVALID_ARGUMENT, "a path is at most 1024 bytes long and holds no NUL character")
    if prefix.startswith(("/", "\\", "~")) or (len(prefix) > 1 and prefix[1] == ":"):
        raise outside(prefix)
    segments = prefix.replace("\\", "/").split("/")
    if ".." in segments:
        raise outside(prefix)
    cleaned = "/".join(segment for segment in segments if segment not in ("", "."))
    return cleaned + "/" if cleaned and prefix.endswith("/") else cleaned


def outside(path: str) -> ThanosqlError:
    """Build the error for a path that leaves its root."""
    return error(
        Reason.PATH_OUTSIDE_WORKSPACE,
        f"path {path!r} leaves the workspace; paths are relative to it, without '..' or links that lead out",
        path=path,
    )


def not_found(key: str, neighbours: Iterable[str] = ()) -> ThanosqlError:
    """Build the error for a key that names nothing, with the nearest that does."""
    nearest = difflib.get_close_matches(key, list(neighbours), n=1, cutoff=0.6)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    metadata = {"path": key} | ({"suggestion": nearest[0]} if nearest else {})
    message = f"file {key!r} does not exist in the server's workspace{hint}"
    return error(Reason.FILE_NOT_FOUND, message, **metadata)


def too_large(key: str, size_bytes: int, limit_bytes: int) -> ThanosqlError:
    """Build the error for an object that does not fit into memory by its reader's own limit."""
    message = f"file {key!r} has {size_bytes} bytes, more than the {limit_bytes} that are read at once"
    return error(Reason.INVALID_DATA, message, path=key)
