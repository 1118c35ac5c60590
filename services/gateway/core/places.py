"""Where in the text an error is: the parser's spans, put on errors that other services raise."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from services.gateway.core.plan_changes import RestoreTable
from services.gateway.core.plan_parts import Name, Query
from services.gateway.core.plans import (
    BuildModel,
    Convert,
    Evaluate,
    Predict,
    PrintAudio,
    SearchKeyword,
    SearchNearest,
)
from thanosql_runtime.errors import Reason, Span, StatementError, ThanosqlError

WithOptions: TypeAlias = (
    Predict | Convert | Evaluate | BuildModel | PrintAudio | SearchNearest | SearchKeyword
)
"""Statements whose options name columns of their query."""

NOWHERE = Span(start=0, end=0, line=0, column=0)
"""The span of an error that is not placed yet; lines count from 1."""


def is_placed(failure: ThanosqlError) -> bool:
    """Whether the error has a place in the text of the call."""
    return failure.statement is not None and failure.statement.span.line > 0


def place(failure: ThanosqlError, span: Span) -> ThanosqlError:
    """The error itself, with `span` as its place unless it has one."""
    if not is_placed(failure):
        failure.statement = replace(failure.statement or _from_metadata(failure), span=span)
    return failure


def _from_metadata(failure: ThanosqlError) -> StatementError:
    """The names that a service without places offers: `suggestion`, and `known` as a list in one text."""
    known = [name for name in failure.metadata.get("known", "").split(", ") if name not in ("", "...")]
    return StatementError(span=NOWHERE, suggestion=failure.metadata.get("suggestion", ""), known=tuple(known))


@contextmanager
def placed_at(span: Span) -> Iterator[None]:
    """Put `span` on errors raised inside that have no place."""
    try:
        yield
    except ThanosqlError as failure:
        raise place(failure, span)  # noqa: B904 - the same error, not one caused by it


@contextmanager
def placed_in(query: Query, text: str) -> Iterator[None]:
    """Put the place of the table or column at fault on errors of a query."""
    try:
        yield
    except ThanosqlError as failure:
        raise place(failure, _fault(failure, query, text))  # noqa: B904 - see above


@contextmanager
def placed_at_column(within: Span, text: str) -> Iterator[None]:
    """Put the place of the column at fault, or else all of `within`, on errors raised inside."""
    try:
        yield
    except ThanosqlError as failure:
        column = failure.metadata.get("column", "")
        raise place(failure, _word_place(text, within, column) if column else within)  # noqa: B904 - see above


@contextmanager
def placed_at_value(within: Span | None, text: str) -> Iterator[None]:
    """Put the place of the option's value at fault on errors raised inside, where they name one."""
    try:
        yield
    except ThanosqlError as failure:
        value = failure.metadata.get("value")
        found = _quoted_place(text, within, value) if within is not None and value else None
        raise place(failure, found) if found else failure  # noqa: B904 - see above


@contextmanager
def placed_at_version(statement: RestoreTable) -> Iterator[None]:
    """Put the place of the version at fault, or else of the table, on errors raised inside."""
    try:
        yield
    except ThanosqlError as failure:
        span = statement.version_span if "version" in failure.metadata else statement.table.span
        raise place(failure, span)  # noqa: B904 - see above


def option_place(text: str, statement: WithOptions, value: str) -> Span:
    """Where an option's value stands in the statement; the query where it is a default, or stands twice."""
    return _quoted_place(text, statement.span, value) or statement.query.span


def _quoted_place(text: str, within: Span, value: str) -> Span | None:
    """Where a value stands in quotes; None where it does not, or twice."""
    found = list(re.finditer(f"['\"]{re.escape(value)}['\"]", text[within.start : within.end]))
    return _span_at(text, within.start + found[0].start(), len(found[0].group())) if len(found) == 1 else None


def _fault(failure: ThanosqlError, query: Query, text: str) -> Span:
    if failure.reason is Reason.TABLE_NOT_FOUND:
        return _named(_tables(query, failure), failure.metadata.get("table", "")) or query.span
    if failure.reason is Reason.COLUMN_NOT_FOUND and failure.metadata.get("column"):
        return _word_place(text, query.span, failure.metadata["column"])
    return query.span


def _tables(query: Query, failure: ThanosqlError) -> Sequence[Name]:
    """The tables of the query that the failure may speak of: those at the version that it names."""
    version = failure.metadata.get("version")
    at_version = [item.table for item in query.versions if version in (None, str(item.version))]
    return at_version if version else [*query.tables, *at_version]


def _named(names: Sequence[Name], wanted: str) -> Span | None:
    return next((name.span for name in names if name.text.casefold() == wanted.casefold()), None)


def _word_place(text: str, within: Span, word: str) -> Span:
    pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
    found = re.search(pattern, text[within.start : within.end], re.IGNORECASE)
    return _span_at(text, within.start + found.start(), len(word)) if found else within


def _span_at(text: str, start: int, length: int) -> Span:
    line_start = text.rfind("\n", 0, start) + 1
    return Span(
        start=start,
        end=start + length,
        line=text.count("\n", 0, start) + 1,
        column=start - line_start + 1,
    )
