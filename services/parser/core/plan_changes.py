"""Plans of the statements that change tables."""

from dataclasses import dataclass, field
from typing import TypeAlias

from services.parser.core.plan_options import IfExists
from services.parser.core.plan_parts import Name, Query, Statement
from thanosql_runtime.errors import Span


@dataclass(frozen=True, kw_only=True)
class Copy(Statement):
    """COPY table FROM a path in the workspace, or a JSON array of records.

    Attributes:
        store_audio: Whether recordings are taken into keeping.
        audio_col: The column that names them.
    """

    table: Name
    source: Name
    if_exists: IfExists = IfExists.FAIL
    store_audio: bool = False
    audio_col: str = "audio_path"


@dataclass(frozen=True, kw_only=True)
class CreateTableAs(Statement):
    """CREATE TABLE AS."""

    table: Name
    query: Query
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, kw_only=True)
class Insert(Statement):
    """INSERT INTO: no columns means all of them, in order."""

    table: Name
    query: Query
    columns: tuple[Name, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A column set by UPDATE, and the DuckDB expression that it is set to."""

    column: Name
    expression: str


@dataclass(frozen=True, kw_only=True)
class Update(Statement):
    """UPDATE; without a condition, which is in DuckDB's dialect, it changes every row.

    Attributes:
        written: What stands behind SET, as it was written.
    """

    table: Name
    assignments: tuple[Assignment, ...]
    condition: str | None = None
    written: str = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Delete(Statement):
    """DELETE FROM; without a condition, which is in DuckDB's dialect, it deletes every row.

    Attributes:
        written: The condition, as it was written.
    """

    table: Name
    condition: str | None = None
    written: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class DropTable(Statement):
    """DROP TABLE."""

    table: Name
    if_exists: bool = False


@dataclass(frozen=True, kw_only=True)
class RestoreTable(Statement):
    """RESTORE TABLE: the rows and columns of an earlier version come back as the newest one."""

    table: Name
    version: int
    version_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class AddColumn:
    """ADD COLUMN, with DuckDB's name of the type and the one that was written."""

    column: Name
    type: str
    written: str = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class DropColumn:
    """DROP COLUMN."""

    column: Name
    if_exists: bool = False


@dataclass(frozen=True, kw_only=True)
class RenameColumn:
    """RENAME COLUMN."""

    column: Name
    new_name: Name


TableChange: TypeAlias = AddColumn | DropColumn | RenameColumn


@dataclass(frozen=True, kw_only=True)
class AlterTable(Statement):
    """ALTER TABLE with one action."""

    table: Name
    action: TableChange
