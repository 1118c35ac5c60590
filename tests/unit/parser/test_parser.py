"""The parser's limits, places and notices, beyond what the golden files show."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.parser.core import plan
from services.parser.core.fragment import MAX_BRACKETS
from services.parser.core.nesting import MAX_NESTING
from services.parser.core.parser import MAX_STATEMENTS, Parser
from services.parser.core.plan_parts import Query
from services.parser.core.render import render
from services.parser.core.rewriting import MAX_SQL_BRACKETS
from services.parser.core.scanner import MAX_TOKENS
from thanosql_runtime.errors import Reason, StatementError, ThanosqlError


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


def failure(parser: Parser, text: str) -> tuple[ThanosqlError, StatementError]:
    with pytest.raises(ThanosqlError) as caught:
        parser.parse(text)
    assert caught.value.statement is not None
    return caught.value, caught.value.statement


def query_of(parser: Parser, text: str) -> Query:
    (found,) = parser.parse(text)
    assert isinstance(found, plan.RunQuery)
    return found.query


def nested(depth: int) -> str:
    return "SELECT * FROM (PREDICT USING m AS " * depth + "SELECT * FROM t" + ")" * depth


def test_statements_nest_up_to_the_limit(parser: Parser) -> None:
    query = query_of(parser, nested(MAX_NESTING))

    assert query.nested[0].relation == "__nested_1"
    error, _ = failure(parser, nested(MAX_NESTING + 1))
    assert error.reason is Reason.STATEMENT_TOO_LARGE
    assert error.message == f"statements are nested deeper than {MAX_NESTING}"


def test_brackets_nest_up_to_the_limit(parser: Parser) -> None:
    query_of(parser, "SELECT " + "(" * MAX_SQL_BRACKETS + "1" + ")" * MAX_SQL_BRACKETS)
    error, place = failure(parser, "SELECT " + "(" * 40 + "1" + ")" * 40)

    assert error.reason is Reason.STATEMENT_TOO_LARGE
    assert error.message == f"brackets in SQL are nested deeper than {MAX_SQL_BRACKETS}"
    assert place.span.start == len("SELECT ") + MAX_SQL_BRACKETS


def test_recursion_without_brackets_ends_in_an_error(parser: Parser) -> None:
    error, _ = failure(parser, "SELECT " + "NOT " * 5000 + "1")

    assert error.reason is Reason.STATEMENT_TOO_LARGE
    assert "nested too deeply" in error.message


def test_brackets_outside_sql_nest_up_to_a_limit(parser: Parser) -> None:
    error, _ = failure(
        parser, "PREDICT USING m OPTIONS(epochs=" + "[" * MAX_BRACKETS + "]" * MAX_BRACKETS + ")"
    )

    assert error.reason is Reason.STATEMENT_TOO_LARGE
    assert error.message == f"brackets are nested deeper than {MAX_BRACKETS}"


def test_names_carry_their_places(parser: Parser) -> None:
    text = 'SELECT 1;\nSELECT * FROM "My T" JOIN (PREDICT USING m.2 AS SELECT * FROM 음성) p ON a = b, u'
    query = parser.parse(text)[1]
    assert isinstance(query, plan.RunQuery)
    inner = query.query.nested[0].plan
    assert isinstance(inner, plan.Predict)

    named = [*query.query.tables, inner.model, *inner.query.tables]
    assert [name.text for name in named] == ["My T", "u", "m.2", "음성"]
    assert [text[name.span.start : name.span.end] for name in named] == ['"My T"', "u", "m.2", "음성"]
    assert {name.span.line for name in named} == {2}


def test_tables_are_named_as_first_written(parser: Parser) -> None:
    query = query_of(parser, "SELECT * FROM Train a, TRAIN b, other")

    assert [table.text for table in query.tables] == ["Train", "other"]


def test_an_error_behind_comments_and_line_breaks_keeps_its_place(parser: Parser) -> None:
    text = "SELECT /* one\n two */ a, -- three\n\tb\nFROM t\nWHRE a = 1"
    _, place = failure(parser, text)

    assert text[place.span.start : place.span.end] == "WHRE"
    assert (place.span.line, place.span.column) == (5, 1)


def test_an_error_behind_strings_with_line_breaks_keeps_its_place(parser: Parser) -> None:
    text = "SELECT 'a\nb\r\nc', $$\n\n$$ FROM t WHRE a = 1"
    _, place = failure(parser, text)

    assert text[place.span.start : place.span.end] == "WHRE"


def test_an_error_behind_a_nested_statement_keeps_its_place(parser: Parser) -> None:
    text = "SELECT * FROM (PREDICT USING m OPTIONS(batch_size=1)\nAS SELECT * FROM t) p\nGRUOP BY a"
    _, place = failure(parser, text)

    assert text[place.span.start : place.span.end] == "GRUOP"
    assert (place.span.line, place.span.column) == (3, 1)


def test_notices_point_at_the_option(parser: Parser) -> None:
    text = "PREDICT USING m OPTIONS(Epochs=1, text_col='t') AS SELECT * FROM t"
    (found,) = parser.parse(text)

    assert [notice.message for notice in found.notices] == [
        "option 'epochs' has no effect in PREDICT",
        "option 'text_col' has no effect in PREDICT",
    ]
    assert [text[notice.span.start : notice.span.end] for notice in found.notices] == ["Epochs", "text_col"]


def test_plans_compare_without_places_and_notices(parser: Parser) -> None:
    plain = parser.parse("PREDICT USING m AS SELECT * FROM t")
    spread = parser.parse("\npredict USING m\nOPTIONS(epochs=3, batch_size=16) as (SELECT * FROM t)")

    assert plain == spread


def test_the_reserved_relations_cannot_be_read(parser: Parser) -> None:
    error, _ = failure(parser, "SELECT * FROM __nested_2, (PREDICT USING m AS SELECT * FROM t) p")

    assert error.reason is Reason.INVALID_NAME


@pytest.mark.parametrize("name", ["m/2", "..", "-m", "2m", "a b", "m.x", "m.", "/etc", "a\nb"])
def test_a_model_cannot_have_a_name_that_is_a_path(parser: Parser, name: str) -> None:
    error, _ = failure(parser, f'BUILD MODEL "{name}" USING b AS SELECT * FROM t')

    assert error.reason is Reason.INVALID_NAME


def test_the_limit_of_the_text_is_a_setting() -> None:
    small = Parser(max_text_bytes=10)

    assert len(small.parse("LIST MODEL")) == 1
    error, _ = failure(small, "LIST MODEL ")
    assert error.reason is Reason.STATEMENT_TOO_LARGE


def test_the_number_of_tokens_is_bounded(parser: Parser) -> None:
    error, place = failure(parser, ";" * (MAX_TOKENS + 1))

    assert error.reason is Reason.STATEMENT_TOO_LARGE
    assert place.span.start == MAX_TOKENS


def test_the_number_of_statements_is_bounded(parser: Parser) -> None:
    most = "LIST MODEL;" * MAX_STATEMENTS

    assert len(parser.parse(most)) == MAX_STATEMENTS
    error, place = failure(parser, most + "LIST TABLE")
    assert error.reason is Reason.STATEMENT_TOO_LARGE
    assert place.span.start == len(most)


def test_a_caller_who_gives_up_is_noticed_before_the_next_statement(parser: Parser) -> None:
    asked: list[bool] = []

    def given_up() -> bool:
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(ThanosqlError) as caught:
        parser.parse("LIST MODEL; LIST TABLE; LIST MODEL; nonsense", given_up=given_up)

    assert caught.value.reason is Reason.CANCELLED
    assert len(asked) == 3


def test_one_parser_serves_many_threads(parser: Parser) -> None:
    texts = [f"SELECT * FROM (PREDICT USING m{n} AS SELECT * FROM t{n}) p, u{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(parser.parse, texts))

    assert [render(plans[0]) for plans in found] == texts


def test_two_parsers_share_nothing(parser: Parser) -> None:
    assert Parser().parse("LIST MODEL") == parser.parse("LIST MODEL")
