"""Plans and errors as a person reads them in the golden files."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

from services.parser.core.plan import Plan
from services.parser.core.plan_options import Hotword
from services.parser.core.plan_parts import Name, Notice, Query
from services.parser.core.render import render
from thanosql.drawing import draw
from thanosql.values import Span
from thanosql_runtime.errors import ThanosqlError

_UNSAID = {"span", "notices", "written", "version_span"}


def plan_text(plans: tuple[Plan, ...]) -> str:
    """Plans, one block each."""
    return "\n".join("\n".join(_plan_lines(plan)) for plan in plans) if plans else "nothing"


def error_text(failure: ThanosqlError, text: str) -> str:
    """An error as the client draws it, and its reason."""
    place = failure.statement
    assert place is not None, "every error of the parser has a place"
    span = Span(start=place.span.start, end=place.span.end, line=place.span.line, column=place.span.column)
    drawn = draw(
        failure.message,
        text=text,
        span=span,
        expected=place.expected,
        suggestion=place.suggestion,
        known=place.known,
    )
    lines = [line.rstrip() for line in drawn.split("\n")]
    return "\n".join([*lines, failure.reason])


def _plan_lines(plan: Plan) -> Iterator[str]:
    yield from _lines(plan)
    for notice in plan.notices:
        yield f"  notice: {_notice(notice)}"
    yield f"  canonical: {render(plan)}"


def _lines(value: object) -> Iterator[str]:
    assert is_dataclass(value)
    yield type(value).__name__
    for item in fields(value):
        if item.name not in _UNSAID:
            yield from _field_lines(item.name, getattr(value, item.name))


def _field_lines(name: str, value: object) -> Iterator[str]:
    if isinstance(value, Query):
        yield f"  {name}: {value.sql}"
        if value.tables:
            yield f"    tables: {', '.join(table.text for table in value.tables)}"
        for item in value.versions:
            yield f"    {item.relation}: {item.table.text} at version {item.version}"
        for nested in value.nested:
            yield from _indented(f"{nested.relation}: ", _plan_lines(nested.plan))
    elif isinstance(value, Name | Enum | str | int | float | None):
        yield f"  {name}: {_scalar(value)}"
    elif name == "options":
        beam = getattr(value, "beam", None)
        yield f"  options: {_options(value)}"
        if beam is not None:
            yield f"  beam: {_options(beam)}"
    elif isinstance(value, tuple) and value:
        yield f"  {name}: {', '.join(_short(item) for item in value)}"
    elif not isinstance(value, tuple):
        yield from (f"  {line}" for line in _lines(value))


def _options(options: object) -> str:
    assert is_dataclass(options)
    names = [item.name for item in fields(options) if item.name != "beam"]
    return ", ".join(f"{name}={_scalar(getattr(options, name))}" for name in names)


def _indented(lead: str, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield "    " + (lead if number == 0 else "") + line


def _scalar(value: object) -> str:
    if isinstance(value, Name):
        return value.text
    if isinstance(value, tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, Hotword):
        return f"({value.phrase!r}, {value.weight})"
    return repr(value.value if isinstance(value, Enum) else value)


def _short(item: object) -> str:
    if isinstance(item, Name):
        return item.text
    assert is_dataclass(item)
    return " := ".join(
        _scalar(getattr(item, part.name)).strip("'") for part in fields(item) if part.name not in _UNSAID
    )


def _notice(notice: Notice) -> str:
    return f"{notice.span.line}:{notice.span.column} {notice.message}"
