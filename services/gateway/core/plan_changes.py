"""Statements that change tables, as the parser typed them."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.core.plan_parts import Name, Query
from thanosql_runtime.errors import Span


@dataclass(frozen=True, kw_only=True)
class Copy:
    """COPY t FROM 'path'; `if_exists` is `FAIL`, `REPLACE` or `APPEND`.

    Recordings are taken into keeping where `store_audio` says so; `audio_col` names them.
    """

    table: Name
    source: str
    source_span: Span
    if_exists: str
    store_audio: bool = False
    audio_col: str = "audio_path"
    kind: str = "COPY"


@dataclass(frozen=True, kw_only=True)
class CreateTableAs:
    """CREATE TABLE t AS query."""

    table: Name
    query: Query
    or_replace: bool
    if_not_exists: bool
    kind: str = "CREATE TABLE AS"


@dataclass(frozen=True, kw_only=True)
class Insert:
    """INSERT INTO t; no columns mean all, in order."""

    table: Name
    columns: Sequence[str]
    query: Query
    kind: str = "INSERT"


@dataclass(frozen=True, kw_only=True)
class Update:
    """UPDATE t SET column = expression; an empty condition means every row."""

    table: Name
    assignments: Sequence[tuple[str, str]]
    condition: str
    kind: str = "UPDATE"


@dataclass(frozen=True, kw_only=True)
class Delete:
    """DELETE FROM t; an empty condition means every row."""

    table: Name
    condition: str
    kind: str = "DELETE"


@dataclass(frozen=True, kw_only=True)
class DropTable:
    """DROP TABLE t."""

    table: Name
    if_exists: bool
    kind: str = "DROP TABLE"


@dataclass(frozen=True, kw_only=True)
class RestoreTable:
    """RESTORE TABLE t TO VERSION n."""

    table: Name
    version: int
    version_span: Span
    kind: str = "RESTORE TABLE"


@dataclass(frozen=True, kw_only=True)
class AddColumn:
    """ADD COLUMN name type."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True)
class DropColumn:
    """DROP COLUMN name."""

    name: str
    if_exists: bool


@dataclass(frozen=True, kw_only=True)
class RenameColumn:
    """RENAME COLUMN a TO b."""

    name: str
    new_name: str


@dataclass(frozen=True, kw_only=True)
class AlterTable:
    """ALTER TABLE t, one action."""

    table: Name
    action: AddColumn | DropColumn | RenameColumn
    kind: str = "ALTER TABLE"
