"""Filters on floating point that Lance applies first and DuckDB, or what stands for it, again.

DuckDB hands most comparisons down by itself, but not that floating point is greater than a number: it holds
every NaN for the greatest, and Lance holds negative ones for the least. What is handed down here lets them
pass, with the numbers just beyond the limit, so that rows are saved and answers stay DuckDB's. What DuckDB
hands down it does not compare again, so that is done here for rows with NaN.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from sqlglot import exp

from services.storage.core.queries.pushdown import field_of, is_of_one_table

_PARTS = frozenset({"group", "having", "qualify", "windows", "order", "distinct", "limit", "offset"})
# Far more than what the two lose when they read a number, also one of 32 bits.
_RELATIVE = 1e-6
_LEAST = {pa.float32(): 1e-43, pa.float64(): 1e-300}
# From here on, a limit with its margin may be infinite.
_LARGEST = {pa.float32(): 3e38, pa.float64(): 1e308}


def loose_filter(tree: exp.Expr, schema: pa.Schema) -> Any | None:  # Any: pyarrow ships no types
    """Return a filter that every row behind the answer passes, or None where none is known."""
    if not isinstance(tree, exp.Select) or not is_of_one_table(tree, _PARTS):
        return None
    where = tree.args.get("where")
    if where is None or len(list(tree.find_all(exp.Table))) != 1 or tree.find(exp.With):
        return None
    filters = [_loose(part, tree, schema) for part in _parts(where.this)]
    return _all_of([each for each in filters if each is not None])


class FilteredRows(pads.Dataset):  # type: ignore[misc]  # pyarrow ships no types
    """A table as DuckDB reads it: Lance leaves out rows that the query cannot need, and no NaN is misplaced.

    Args:
        dataset: The table.
        condition: Which rows stay, beside what DuckDB asks for; None for all.
        fragments: The parts of the table that are read; None for all.
    """

    def __init__(  # Any: as above
        self, dataset: Any, condition: Any | None = None, fragments: Sequence[Any] | None = None
    ) -> None:
        self._dataset = dataset
        self._condition = condition
        self._fragments = fragments

    def of(self, fragments: Sequence[Any], *, is_filtered: bool = True) -> "FilteredRows":
        """Only these parts of the table, with the same condition or, where that is not wanted, with none."""
        return FilteredRows(self._dataset, self._condition if is_filtered else None, fragments)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the table."""
        return self._dataset.schema

    def scanner(self, columns: Any = None, filter: Any = None, **options: Any) -> Any:  # noqa: A002 - pyarrow's name
        """Read it, as DuckDB asks of a dataset."""
        if self._fragments is not None:
            options["fragments"] = self._fragments
        if filter is None:
            return self._dataset.scanner(columns=columns, filter=self._condition, **options)
        both = filter if self._condition is None else self._condition & filter
        floating = _compared(filter, _floating(self.schema), self.schema)
        if not floating:
            return self._dataset.scanner(columns=columns, filter=both, **options)
        wanted = list(self.schema.names if columns is None else columns)
        compared = _compared(filter, self.schema.names, self.schema)
        read = wanted + [name for name in compared if name not in wanted]
        scanner = self._dataset.scanner(columns=read, filter=both, **options)
        return _LookedAtAgain(scanner, wanted, filter, floating)


@dataclass(frozen=True)
class _LookedAtAgain:
    """A scanner that applies DuckDB's filter again to rows with NaN, as pyarrow does: NaN is never less."""

    scanner: Any  # Any: as above
    wanted: list[str]
    condition: Any
    floating: list[str]

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows, as DuckDB reads them."""
        reader = self.scanner.to_reader()
        schema = pa.schema([reader.schema.field(name) for name in self.wanted], reader.schema.metadata)
        return pa.RecordBatchReader.from_batches(schema, (self._right(batch) for batch in reader))

    def _right(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if any(pc.any(pc.is_nan(batch.column(name))).as_py() for name in self.floating):
            batch = batch.filter(self.condition)
        return batch.select(self.wanted)


def has_floating(schema: pa.Schema) -> bool:
    """Tell whether a filter on a table may compare floating point."""
    return bool(_floating(schema))


def _floating(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_floating(field.type)]


def _compared(condition: Any, names: Sequence[str], schema: pa.Schema) -> list[str]:
    """Return those of the columns that a condition reads: without one, pyarrow cannot bind it."""
    left = pa.schema([field for field in schema if field.name not in set(names)])
    try:
        pads.dataset(left.empty_table()).scanner(filter=condition)
    except pa.ArrowException:
        half = len(names) // 2
        if not half:
            return list(names)
        return _compared(condition, names[:half], schema) + _compared(condition, names[half:], schema)
    return []


def _parts(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.Paren):
        yield from _parts(node.this)
    elif isinstance(node, exp.And):
        yield from _parts(node.left)
        yield from _parts(node.right)
    else:
        yield node


def _all_of(filters: Sequence[Any]) -> Any | None:
    found = None
    for each in filters:
        found = each if found is None else found & each
    return found


def _loose(node: exp.Expr, tree: exp.Select, schema: pa.Schema) -> Any | None:
    if not isinstance(node, exp.GT | exp.GTE | exp.LT | exp.LTE):
        return None
    field, limit = field_of(node.left, tree, schema), _number(node.right)
    if field is None or limit is None or field.type not in _LARGEST:
        return None
    column, is_unbounded = pc.field(field.name), abs(limit) >= _LARGEST[field.type]
    margin = max(abs(limit) * _RELATIVE, _LEAST[field.type])
    # Of the column's own type: Lance has no cast of the column to another.
    low, high = (pa.scalar(value, field.type) for value in (limit - margin, limit + margin))
    if isinstance(node, exp.GT | exp.GTE):
        return None if is_unbounded else (column >= low) | pc.is_nan(column)
    # DuckDB hands this one down too, and Lance would take a negative NaN for the least number.
    is_number = ~pc.is_nan(column)
    return is_number if is_unbounded else (column <= high) & is_number


def _number(node: exp.Expr) -> float | None:
    if isinstance(node, exp.Neg):
        number = _number(node.this)
        return None if number is None else -number
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    try:
        return float(node.name)
    except ValueError:
        return None
