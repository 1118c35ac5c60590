"""Commits that happen once: whatever other processes write, and however often a request is repeated.

Rows are written to files first, and one small manifest makes them part of the table. The first
writer of a manifest's name wins, on a disk as in a bucket. A request whose answer was lost loses
against itself when it is repeated, so before a commit is tried again, the versions that were made
meanwhile are searched for it.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import lance
from lance.commit import CommitConflictError
from lance.dataset import LanceOperation, Transaction
from lance.fragment import write_fragments

from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.outages import (
    in_short,
    is_outage,
    outcome_unknown,
    store_failed,
    store_unreadable,
)
from services.storage.core.tables.rows import Rows
from services.storage.core.types import CopyMark
from thanosql_runtime.errors import Reason, ThanosqlError, error

# Each lost race is a commit of somebody else, so that waiting this long means very many writers.
_PATIENCE_S = 60.0
_LONGEST_PAUSE_S = 0.5
_OUTAGES = 2
_REPEATS = 10
_COPY = "copy"
_KEEPS = "copy_keeps"
OPERATION = "operation"
"""Property of a commit that says what made it."""
_LOST_RACE = "Failed to commit the transaction after"

_T = TypeVar("_T")
_FAILURES = (OSError, RuntimeError, ValueError, NotImplementedError)


def written(home: TableHome, folded: str, rows: Rows, dataset: Any = None) -> Transaction:
    """Write rows to files of a table, of which nobody knows before they are committed.

    Args:
        home: Where the table is.
        folded: Its name.
        rows: What is written.
        dataset: The version that they are added to; None for rows that are a table of their own.

    Raises:
        ThanosqlError: What the rows raise, INVALID_DATA, STORE_UNAVAILABLE, CONFLICT.
    """
    mode = "append"
    if dataset is None:
        mode = "overwrite" if home.is_committed(folded) else "create"
    with rows.guarded():
        try:
            return write_fragments(
                rows.reader(),
                home.table_uri(folded) if dataset is None else dataset,
                rows.schema,
                mode=mode,
                return_transaction=True,
                storage_options=home.options,
            )
        except OSError as problem:
            if "Dataset already exists" in str(problem):
                raise _outrun(folded) from problem
            raise


def in_place_of(dataset: Any, transaction: Transaction) -> Transaction:
    """Turn added rows into ones that replace those of a version; rows that others add meanwhile stay."""
    added: Any = transaction.operation  # Any: an Append, which lance's types do not say
    operation = LanceOperation.Update(
        removed_fragment_ids=[fragment.fragment_id for fragment in dataset.get_fragments()],
        new_fragments=added.fragments,
    )
    return Transaction(dataset.version, operation)


def commit(home: TableHome, folded: str, transaction: Transaction) -> Any:
    """Make written rows part of the table, once, and return the table as it then is.

    Raises:
        ThanosqlError: CONFLICT when the table is no longer one that the rows were written for;
            STORE_UNAVAILABLE, which says whether something was changed.
    """
    deadline_s = time.monotonic() + _PATIENCE_S
    pause_s, outages = 0.01, 0
    while True:
        try:
            return lance.LanceDataset.commit(
                home.table_uri(folded), transaction, storage_options=home.options, max_retries=0
            )
        except _FAILURES as problem:
            landed = _landed(home, folded, transaction, problem)
            if landed is not None:
                return landed
            outages += is_outage(problem)
            in_vain = outages > _OUTAGES if is_outage(problem) else not _may_win_later(transaction, problem)
            if in_vain or time.monotonic() > deadline_s or (outages and not home.is_remote):
                raise _refused(home, folded, transaction, problem) from problem
        time.sleep(random.uniform(0, pause_s))  # noqa: S311 - keeps writers apart, guards nothing
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def marked(transaction: Transaction, operation: str, copy: CopyMark | None) -> Transaction:
    """Return the transaction with what it says of itself in the history of its table."""
    properties = {OPERATION: str(operation)}
    if copy is not None:
        properties |= {_COPY: copy.copy_id, _KEEPS: str(copy.keeps)}
    return replace(transaction, transaction_properties=properties)


def copies_since(dataset: Any, version: int) -> list[CopyMark]:
    """Return the COPYs behind a version of a table, newest first, but for those that were cleaned up.

    Raises:
        ThanosqlError: STORE_UNAVAILABLE.
    """
    behind = dataset.version - version
    try:
        made = dataset.get_transactions(behind) if behind > 0 else []
    except (OSError, RuntimeError, ValueError) as problem:
        raise store_unreadable(problem, "the history of a table") from problem
    said = [found.transaction_properties for found in made if found is not None]
    return [
        CopyMark(copy_id=each[_COPY], keeps=each.get(_KEEPS) == str(True)) for each in said if _COPY in each
    ]


@contextlib.contextmanager
def translated(folded: str) -> Iterator[None]:
    """Turn what Lance says of a commit of its own that failed into our words.

    Raises:
        ThanosqlError: CONFLICT, STORE_UNAVAILABLE.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as problem:
        if "conflict" in str(problem).lower() or "Incompatible transaction" in str(problem):
            raise _outrun(folded) from problem
        if is_outage(problem):
            raise store_failed(problem, f"table {folded!r} cannot be changed") from problem
        raise


def repeated(change: Callable[[], _T]) -> _T:
    """Make a change that others may outrun: computed again from the newest version, a few times.

    Raises:
        ThanosqlError: CONFLICT.
    """
    for _ in range(_REPEATS - 1):
        with contextlib.suppress(_OutrunError):
            return change()
    return change()


class _OutrunError(ThanosqlError):
    """Another process changed the table in a way that a transaction does not survive."""


def _outrun(folded: str) -> ThanosqlError:
    message = f"another writer changed table {folded!r} at the same time; nothing was changed: run it again"
    return _OutrunError(reason=Reason.CONFLICT, message=message, metadata={"table": folded})


def _refused(home: TableHome, folded: str, transaction: Transaction, problem: Exception) -> Exception:
    if is_outage(problem):
        # A disk has answered by now; a server may still have the request in its queue.
        return outcome_unknown(problem) if home.is_remote else store_failed(problem, "the commit failed")
    is_new = transaction.read_version == 0
    if isinstance(problem, CommitConflictError) or home.is_committed(folded) is is_new:
        return _outrun(folded)  # Changed, or made or dropped, by somebody else.
    if isinstance(transaction.operation, LanceOperation.Restore):
        message = f"the version of table {folded!r} cannot be restored: {in_short(problem)}"
        return error(Reason.TABLE_NOT_FOUND, message, table=folded)
    return error(Reason.INVALID_DATA, f"these rows cannot be kept in a table: {in_short(problem)}")


def _may_win_later(transaction: Transaction, problem: Exception) -> bool:
    # Lance puts a whole new table only behind the version that it names, however often it is asked.
    is_whole = isinstance(transaction.operation, LanceOperation.Overwrite)
    return not is_whole and isinstance(problem, CommitConflictError) and _LOST_RACE in str(problem)


def _landed(home: TableHome, folded: str, transaction: Transaction, problem: Exception) -> Any:
    """Return the table if the transaction is one of its versions in spite of the failure, or else None."""
    try:
        if not home.is_committed(folded):
            return None
        dataset = home.open(folded)
        made = dataset.get_transactions(max(1, dataset.version - transaction.read_version))
    except (ThanosqlError, OSError, RuntimeError) as failure:
        raise outcome_unknown(problem) from failure
    except ValueError:
        return None
    ours = any(found is not None and found.uuid == transaction.uuid for found in made)
    return dataset if ours else None
