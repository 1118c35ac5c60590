"""Rendering a plan and parsing the text gives the same plan; spans cover what they name."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from hypothesis import HealthCheck, given, settings

from services.parser.core.parser import Parser
from services.parser.core.plan_parts import Statement
from services.parser.core.render import render
from tests.property.parser.statement_texts import statements
from thanosql_runtime.errors import Span

PARSER = Parser()
THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(statements())
@THOROUGH
def test_a_rendered_plan_parses_to_an_equal_plan(text: str) -> None:
    (plan,) = PARSER.parse(text)

    assert PARSER.parse(render(plan)) == (plan,)


@given(statements())
@THOROUGH
def test_rendering_is_stable(text: str) -> None:
    (plan,) = PARSER.parse(text)
    (again,) = PARSER.parse(render(plan))

    assert render(again) == render(plan)


@given(statements())
@THOROUGH
def test_spans_lie_inside_the_span_of_their_statement(text: str) -> None:
    before = "LIST MODEL;\n  "
    plan = PARSER.parse(f"{before}{text} ; SHOW JOBS")[1]

    assert plan.span.start >= len(before)
    for span in spans(plan):
        assert plan.span.start <= span.start <= span.end <= plan.span.end
        assert span.line == (before + text)[: span.start].count("\n") + 1


def spans(value: object) -> Iterator[Span]:
    """All spans of a plan but those of its empty parts."""
    if isinstance(value, Span):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from spans(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from spans(getattr(value, item.name))


def test_the_walk_over_spans_reaches_nested_statements() -> None:
    (plan,) = PARSER.parse("SELECT * FROM (PREDICT USING m AS SELECT * FROM t)")

    assert isinstance(plan, Statement)
    # The statement, its query, PREDICT, its model, its query, its table.
    assert len(list(spans(plan))) == 6
