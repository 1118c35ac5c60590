"""What notebooks show: results, progress and row errors as small pieces of HTML."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from thanosql.facts import cell, model_facts, progress_facts, score_facts
from thanosql.values import Notice, Progress, RowError

if TYPE_CHECKING:
    from thanosql.result import Result

_ROWS_SHOWN = 60
_ERRORS_SHOWN = 10


def result_html(result: "Result") -> str:
    """A result: its table, scores, model and recordings, then what it says."""
    parts = []
    if result.has_rows:
        table = result.arrow()
        rows = [list(row.values()) for row in table.slice(0, _ROWS_SHOWN).to_pylist()]
        parts.append(table_html(result.columns, rows))
        if table.num_rows > _ROWS_SHOWN:
            parts.append(f"<p>{_ROWS_SHOWN} of {table.num_rows} rows</p>")
    elif result.scores is not None:
        parts.append(facts_html(score_facts(result.scores)))
    elif result.model is not None:
        parts.append(facts_html(model_facts(result.model, result.job)))
    parts += [media._repr_html_() for media in result.media]
    parts.append(f"<p>{escape(result.message)}</p>" if result.message else "")
    return "".join([*parts, notices_html(result.notices), row_errors_html(result)])


def table_html(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts_html(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f"<table><tbody>{lines}</tbody></table>"


def notices_html(notices: Iterable[Notice]) -> str:
    """Notices, one a line."""
    return "".join(f"<p>notice: {escape(notice.message)}</p>" for notice in notices)


def row_errors_html(result: "Result") -> str:
    """How many rows failed, and the first of them behind a fold."""
    if not result.row_error_count:
        return ""
    lines = "".join(_row_error(failed) for failed in result.row_errors[:_ERRORS_SHOWN])
    summary = f"{result.row_error_count} row{'s' if result.row_error_count != 1 else ''} failed"
    return f"<details><summary>{summary}</summary><ul>{lines}</ul></details>"


def progress_html(progress: Progress) -> str:
    """A bar, and what is known beside it."""
    fraction = progress.fraction
    share = "" if fraction is None else f' value="{fraction:.4f}"'
    label = escape(" · ".join(progress_facts(progress)))
    bar = f'<progress max="1"{share} style="width:16em;vertical-align:middle"></progress>'
    return f"<div><b>{escape(progress.stage)}</b> {bar} {label}</div>"


def _row_error(failed: RowError) -> str:
    return f"<li>row {failed.row} {escape(failed.subject)}: {escape(failed.message)}</li>"


def _cell(value: object) -> str:
    return escape(cell(value))
