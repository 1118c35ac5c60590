"""What storage tells of a COPY: how far it is, what it made, what it would do."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.core.records import RowError, Table


@dataclass(frozen=True, kw_only=True)
class CopyProgress:
    """How far a copy is, in `unit`, which is `bytes`, `files` or `rows`; `total` is 0 while unknown."""

    rows: int
    done: int
    total: int
    unit: str


@dataclass(frozen=True, kw_only=True)
class CopyResult:
    """What a copy made.

    Attributes:
        table: The table as it is now.
        rows_copied: Rows that this copy put there.
        rows_quarantined: Rows that it could not read.
        quarantined: The first of them.
        quarantine: The table that holds all of them; empty when there are none.
        notices: What became of columns that did not match those of the table.
    """

    table: Table
    rows_copied: int
    rows_quarantined: int
    quarantined: Sequence[RowError]
    quarantine: str = ""
    notices: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class CopyExplanation:
    """What a copy would read, and what it would do to its table.

    Attributes:
        format: What the source is: an ending such as `csv`, or `folder of audio`.
        files: Files that would be read, at least so many where this is not final; 0 for JSON in a statement.
        size_bytes: What they take.
        is_final: Whether the source was seen as far as it decides the columns.
        columns: Names and types.
        rows_read: Rows that were looked at.
        rows_quarantined: Those of them that cannot be read.
        quarantined: The first of them.
        notices: What would become of columns that do not match those of the table.
        audio_files: Recordings that would be taken into keeping: those of a folder, or of the rows looked at.
        audio_bytes: What they take.
    """

    format: str
    files: int
    size_bytes: int
    is_final: bool
    columns: Sequence[tuple[str, str]]
    rows_read: int
    rows_quarantined: int
    quarantined: Sequence[RowError]
    notices: Sequence[str] = ()
    audio_files: int = 0
    audio_bytes: int = 0
