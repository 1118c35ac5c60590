"""What statements are made of: names, and queries with what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_runtime.errors import Span

if TYPE_CHECKING:
    from services.gateway.core.plans import Statement


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name in the text, with its place."""

    text: str
    span: Span


@dataclass(frozen=True, kw_only=True)
class Nested:
    """A statement that stands where a table may, under the name of a relation."""

    relation: str
    statement: "Statement"


@dataclass(frozen=True, kw_only=True)
class TableAtVersion:
    """A table at one of its versions, under the name of a relation; its place is all of `t AT VERSION 3`."""

    relation: str
    table: Name
    version: int


@dataclass(frozen=True, kw_only=True)
class Query:
    """A SELECT or another query."""

    sql: str
    tables: Sequence[Name]
    nested: Sequence[Nested]
    span: Span
    versions: Sequence[TableAtVersion] = ()
    kind: str = "SELECT"


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What PREDICT tells of a recording beside its text.

    Attributes:
        word_times: When each word was said.
        confidence: How sure the text is, and with `word_times` how sure each word.
        n_best: Readings at most; 1 is the text alone.
    """

    word_times: bool = False
    confidence: bool = False
    n_best: int = 1
