"""Results on the standard output, as tables for people or as data for programs."""

import csv
import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thanosql.facts import Facts, cell, model_facts, score_facts
from thanosql.result import Result

FORMATS = ("table", "csv", "json")

TERMINAL_ROWS = 1000

_ERRORS_SHOWN = 10
# Below this a boxed column breaks its words.
_LEAST_COLUMN_WIDTH = 12
_COLUMNS_OF_A_SINGLE_ROW = 6


def write_result(
    result: Result, output_format: str, stream: TextIO | None = None, *, all_rows: bool = False
) -> None:
    """Write a result; with a data format, what it says beside its rows goes to the error output.

    Args:
        result: What a statement gave.
        output_format: One of `FORMATS`.
        stream: Where to; the standard output by default.
        all_rows: Draw every row of a table in a terminal too; else the first `TERMINAL_ROWS`.
    """
    target = stream or sys.stdout
    if output_format == "csv":
        _write_csv(result, target)
    elif output_format == "json":
        _write_json(result, target)
    else:
        cut = target.isatty() and not all_rows and len(result) > TERMINAL_ROWS
        _write_table(result.head(TERMINAL_ROWS) if cut else result, target)
        if cut:
            click.echo(
                f"the first {TERMINAL_ROWS:,} of {len(result):,} rows; all: --format csv, or --all",
                err=True,
            )
    if result.message:
        click.echo(result.message, err=output_format != "table")
    _write_remarks(result)


def _write_csv(result: Result, target: TextIO) -> None:
    if not result.has_rows:
        return
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(["" if value is None else value for value in row.values()] for row in result)


def _write_json(result: Result, target: TextIO) -> None:
    rows: list[dict[str, Any]] = result.rows  # a cell holds whatever its column holds
    if not result.has_rows:
        rows = [dict(_facts(result))] if _facts(result) else []
    target.write(json.dumps(rows, ensure_ascii=False, default=str, indent=2) + "\n")


def _write_table(result: Result, target: TextIO) -> None:
    if result.media:
        for media in result.media:
            click.echo(f"{media.path}  {media.mime_type}  {len(media.data):,} bytes", file=target)
    elif result.has_rows:
        rows = [[_cell(value) for value in row.values()] for row in result]
        write_table(result.columns, rows, target)
    elif _facts(result):
        _write_facts(_facts(result), target)


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]], target: TextIO) -> None:
    """Write rows under their columns, boxed in a terminal; where they do not fit, one column a line."""
    if len(rows) == 1 and len(columns) > _COLUMNS_OF_A_SINGLE_ROW:
        _write_facts(list(zip(columns, rows[0], strict=True)), target)
        return
    console = Console(file=target)
    if target.isatty() and len(columns) * _LEAST_COLUMN_WIDTH > console.width:
        for number, row in enumerate(rows, start=1):
            click.echo(f"-- row {number}", file=target)
            _write_facts(list(zip(columns, row, strict=True)), target)
    elif target.isatty():
        table = Table()
        for column in columns:
            table.add_column(Text(column), overflow="fold")
        for row in rows:
            table.add_row(*[Text(value) for value in row])
        console.print(table)
    else:
        _write_aligned(columns, rows, target)


def _write_aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], target: TextIO) -> None:
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for row in (columns, ["-" * width for width in widths], *rows):
        line = "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True))
        click.echo(line.rstrip(), file=target)


def _write_facts(facts: Facts, target: TextIO) -> None:
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        click.echo(f"{name.ljust(width)}  {value}", file=target)


def _facts(result: Result) -> Facts:
    if result.scores is not None:
        return score_facts(result.scores)
    if result.model is not None and result.kind.endswith("MODEL"):
        return model_facts(result.model, result.job)
    return []


def _write_remarks(result: Result) -> None:
    for notice in result.notices:
        click.echo(f"notice: {notice.message}", err=True)
    if result.row_error_count:
        click.echo(
            f"{result.row_error_count} {'row' if result.row_error_count == 1 else 'rows'} failed:", err=True
        )
    for failed in result.row_errors[:_ERRORS_SHOWN]:
        click.echo(f"  row {failed.row}  {failed.subject}: {failed.message}", err=True)


def _cell(value: object) -> str:
    return cell(value).replace("\n", "\\n").replace("\t", "\\t")
