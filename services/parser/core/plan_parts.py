"""What all plans are made of: names with their places, notices, and queries."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from thanosql_runtime.errors import Span

if TYPE_CHECKING:
    # A query holds nested plans, and most plans hold a query.
    from services.parser.core.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name, without its quotes, and where it stands."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something that the user should know and that stopped nothing."""

    message: str
    span: Span = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What every plan has.

    Attributes:
        span: The statement in the text of the call.
        notices: Remarks on how it was written.
    """

    span: Span = field(compare=False, repr=False)
    notices: tuple[Notice, ...] = field(default=(), compare=False)


@dataclass(frozen=True, kw_only=True)
class Nested:
    """A statement that stands in a query where a table may.

    Attributes:
        relation: The table that stands for it in the SQL, such as `__nested_1`.
        plan: The statement.
    """

    relation: str
    plan: "Plan"


@dataclass(frozen=True, kw_only=True)
class TableAtVersion:
    """A stored table at one of its versions.

    Attributes:
        relation: The table that stands for it in the SQL, such as `__version_3_of_t`.
        table: The table; its place is that of all of `t AT VERSION 3`.
        version: The version.
    """

    relation: str
    table: Name
    version: int


@dataclass(frozen=True, kw_only=True)
class Query:
    """A SQL query.

    Attributes:
        sql: The query in DuckDB's dialect, nested statements replaced by their relations.
        written: The query as it was written, without comments and superfluous space, nested
            statements in their canonical form.
        tables: The stored tables that it reads, as written, each once.
        versions: The stored tables that it reads at a version of theirs, each once.
        nested: The nested statements, in the order of their numbers.
        span: The query in the text of the call.
    """

    sql: str
    written: str = field(compare=False, repr=False)
    tables: tuple[Name, ...] = ()
    versions: tuple[TableAtVersion, ...] = ()
    nested: tuple[Nested, ...] = ()
    span: Span = field(compare=False, repr=False)
