"""A store of tables that fails or does not answer, told apart from rows that it will not take."""

import contextlib
import re
from collections.abc import Iterator

from lance.commit import CommitConflictError

from thanosql_runtime.errors import Reason, ThanosqlError, error

# Lance reports its store's failures as several kinds of exceptions, and only in words.
_SIGNS = ("LanceError(IO)", "Error performing", "error sending request", "No space left", "Generic S3 error")
_REQUEST = re.compile(
    r"Error performing (?P<method>[A-Z]+) (?P<server>https?://[^/\s]+)\S*[^\n]*? - (?P<cause>[^,\n]{1,120})"
)
_ADVICE = "once the disk, or the server of THANOSQL_OBJECTS__ENDPOINT, is in order, run the statement again"


def is_outage(problem: BaseException) -> bool:
    """Tell whether the store failed, rather than that it has no such table or takes no such rows."""
    text = str(problem)
    if isinstance(problem, CommitConflictError) or "was not found" in text or "Not found: " in text:
        return False
    return any(sign in text for sign in _SIGNS) or (isinstance(problem, OSError) and "Arrow" not in text)


def store_failed(problem: BaseException, what: str) -> ThanosqlError:
    """Build the error for a store that failed before anything was changed."""
    return error(Reason.STORE_UNAVAILABLE, f"{what}: {in_short(problem)}; nothing was changed: {_ADVICE}")


def store_unreadable(problem: BaseException, what: str) -> ThanosqlError:
    """Build the error for a store that failed while it was read."""
    return error(Reason.STORE_UNAVAILABLE, f"{what} cannot be read: {in_short(problem)}; {_ADVICE}")


@contextlib.contextmanager
def panics_told(what: str) -> Iterator[None]:
    """Raise as an error what Lance's own bugs, which damaged files bring up, raise past every `Exception`.

    Raises:
        ThanosqlError: STORE_UNAVAILABLE.
    """
    try:
        yield
    except BaseException as problem:
        # The class cannot be imported: each library written in Rust makes its own.
        if type(problem).__name__ != "PanicException":
            raise
        raise store_unreadable(problem, what) from problem


def changed_but_unread(problem: BaseException, what: str) -> ThanosqlError:
    """Build the error for a store that kept a change and then failed before it was described."""
    message = (
        f"{what} was changed, but cannot be described, because the store failed afterwards: "
        f"{in_short(problem.__cause__ or problem)}; do not run the statement again"
    )
    return error(Reason.STORE_UNAVAILABLE, message, outcome="changed")


def outcome_unknown(problem: BaseException) -> ThanosqlError:
    """Build the error for a store that went away while it was told to commit."""
    message = (
        f"the store of the tables failed during the commit: {in_short(problem)}; whether the rows were kept "
        "is not known: once it answers, look into the table before you run the statement again"
    )
    return error(Reason.STORE_UNAVAILABLE, message, outcome="unknown")


def columns_unknown(problem: BaseException, table: str) -> ThanosqlError:
    """Build the error for a store that went away while it was told to change the columns of a table."""
    message = (
        f"the store of the tables failed during the commit: {in_short(problem)}; whether the columns of "
        f"table {table!r} were changed is not known: once it answers, SHOW TABLE VERSIONS {table} tells "
        "whether the newest one is this ALTER TABLE; run the statement again only if it is not"
    )
    return error(Reason.STORE_UNAVAILABLE, message, outcome="unknown")


def drop_failed(problem: BaseException, table: str, *, versions_gone: int) -> ThanosqlError:
    """Build the error for a store that failed before the newest version of a table was removed."""
    if not versions_gone:
        kept = f"table {table!r} is still there, and nothing was changed"
    else:
        versions = "the oldest version" if versions_gone == 1 else f"the {versions_gone} oldest versions"
        kept = f"table {table!r} is still there with its newest rows, but {versions} of it may be gone"
    message = f"the table was not dropped: {in_short(problem)}; {kept}: {_ADVICE}"
    return error(problem.reason if isinstance(problem, ThanosqlError) else Reason.STORE_UNAVAILABLE, message)


def drop_unknown(problem: ThanosqlError, table: str) -> ThanosqlError:
    """Build the error for a store that went away while it was told to remove a table."""
    message = (
        f"the store of the tables failed while table {table!r} was dropped: {in_short(problem)}; whether it "
        f"is gone is not known: once the store answers, run DROP TABLE IF EXISTS {table}"
    )
    return error(problem.reason, message, outcome="unknown")


def in_short(problem: BaseException) -> str:
    """Return what went wrong, without the place in Lance's own source, which says nothing to a user."""
    request = _REQUEST.search(str(problem))
    if request:
        return f"{request['method']} {request['server']} failed: {request['cause'].strip()}"
    return str(problem).split("\n", 1)[0].split(", /", 1)[0][:300]
