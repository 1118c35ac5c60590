"""Whatever the text is, the parser answers with plans or with an error that has its place in the text."""

import re
import string as letters

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.parser.core.parser import Parser
from tests.property.parser.statement_texts import statements
from thanosql_runtime.errors import Reason, ThanosqlError

PARSER = Parser()
THOROUGH = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = (
    "SELECT FROM WHERE PREDICT USING AS OPTIONS BUILD MODEL LIST ( ) [ ] , ; = ' \" $$ $a$ -- /* */ . * 1 1e9"
    " e' m t 'x' NULL NOT IN CASE WHEN END :: -> ->> @ ? $1 { } \\ ` # % INSERT INTO UPDATE SET DELETE DROP"
    " TABLE ALTER CREATE WITH VALUES UNION EXPLAIN COPY SHOW JOB INTERVAL CAST EXTRACT LATERAL UNNEST FILTER"
    " OVER PARTITION BY GROUP ORDER LIMIT ARRAY ROW EXISTS BETWEEN LIKE ESCAPE COLLATE AT TIME ZONE JOIN ON"
    " NATURAL PIVOT TABLESAMPLE WINDOW QUALIFY FETCH GRANT MERGE INTO FOR SHARE LOCK RETURNING : WITHIN BY"
)
PIECES = st.sampled_from(re.findall(r"\S+", WORDS))


def refuse_or_accept(text: str) -> None:
    try:
        PARSER.parse(text)
    except ThanosqlError as failure:
        check_place(failure, text)


def check_place(failure: ThanosqlError, text: str) -> None:
    assert failure.statement is not None
    span = failure.statement.span
    assert 0 <= span.start <= span.end <= len(text)
    assert span.line == text[: span.start].count("\n") + 1
    assert span.column == span.start - (text.rfind("\n", 0, span.start) + 1) + 1
    assert failure.message == failure.message.strip()
    assert "sqlglot" not in failure.message


@given(st.text(max_size=200))
@THOROUGH
def test_any_text(text: str) -> None:
    refuse_or_accept(text)


@given(st.text(st.sampled_from(letters.printable), max_size=80).map(lambda text: f"SELECT {text}"))
@THOROUGH
def test_any_text_behind_select(text: str) -> None:
    refuse_or_accept(text)


@given(st.lists(PIECES, max_size=30).map(" ".join))
@THOROUGH
def test_any_words(text: str) -> None:
    refuse_or_accept(text)


@given(statements(), st.data())
@THOROUGH
def test_a_statement_with_a_piece_cut_out_or_put_in(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    refuse_or_accept(text[:start] + data.draw(st.one_of(st.just(""), PIECES)) + text[end:])


@given(statements(), st.data())
@THOROUGH
def test_a_statement_that_is_cut_off(text: str, data: st.DataObject) -> None:
    refuse_or_accept(text[: data.draw(st.integers(0, len(text)))])


REPEATED = {
    "parentheses": ("SELECT " + "(" * 5000 + "1" + ")" * 5000),
    "open parentheses": "SELECT " + "(" * 100_000,
    "brackets": "SELECT " + "[" * 300 + "]" * 300,
    "braces": "SELECT " + "{" * 300 + "}" * 300,
    "not": "SELECT " + "NOT " * 20_000 + "1",
    "minus": "SELECT " + "- " * 20_000 + "1",
    "plus": "SELECT " + "1 + " * 20_000 + "1",
    "and": "SELECT " + "1 AND " * 10_000 + "1",
    "casts": "SELECT 1" + "::text" * 20_000,
    "cases": "SELECT " + "CASE WHEN " * 2000 + "1" + " THEN 1 END" * 2000,
    "unions": "SELECT 1" + " UNION SELECT 1" * 2000,
    "joins": "SELECT * FROM t" + " JOIN u USING (id)" * 1000,
    "calls": "SELECT " + "f(" * 31 + "1" + ")" * 31,
    "lambdas": "SELECT " + "f(x -> " * 31 + "1" + ")" * 31,
    "casts in casts": "SELECT " + "CAST(" * 31 + "1" + " AS int)" * 31,
    "sets": "SELECT 1 WHERE a IN " + "(a IN " * 31 + "(1)" + ")" * 31,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 31 + "t" + ")" * 31,
    "long unions": "SELECT 1" + " UNION SELECT 1" * 6600,
    "queries": "SELECT 1;" * 500,
    "tables in parentheses": "SELECT * FROM " + "(" * 31 + "t" + ")" * 31,
    "joins in parentheses": "SELECT * FROM " + "(a JOIN " * 31 + "t" + ")" * 31,
    "nested statements": "PREDICT USING m AS " * 5000 + "SELECT 1",
    "nested in parentheses": "SELECT * FROM (PREDICT USING m AS " * 300 + "SELECT 1" + ")" * 300,
    "explain": "EXPLAIN " * 20_000,
    "semicolons": ";" * 500_000,
    "statements": "LIST MODEL;" * 5000,
    "commas": "SELECT 1" + ",1" * 20_000,
    "comments": "/*" * 100_000,
    "quotes": "SELECT " + "'" * 99_999,
    "double quotes": 'SELECT "' + '""' * 99_999,
    "dollars": "$" * 100_001,
    "options": "PREDICT USING m OPTIONS(" + "epochs=1," * 10_000 + "epochs=1) AS SELECT 1",
    "lists": "PREDICT USING m OPTIONS(epochs=" + "[" * 390 + "]" * 390 + ") AS SELECT 1",
    "one long word": "SELECT " + "a" * 900_000,
    "one long number": "SELECT " + "1" * 900_000,
    "a long option": "PREDICT USING m OPTIONS(" + "a" * 900_000 + "=1) AS SELECT 1",
    "a long number in an option": "PREDICT USING m OPTIONS(epochs=" + "1" * 900_000 + ") AS SELECT 1",
    "dots": "SELECT " + "a." * 20_000 + "a",
    "lines": "\n" * 900_000 + "SELECT",
}


@pytest.mark.parametrize("text", REPEATED.values(), ids=REPEATED.keys())
@pytest.mark.timeout(30)
def test_endless_repetition(text: str) -> None:
    refuse_or_accept(text)


def test_a_text_over_the_limit_is_refused_by_its_bytes() -> None:
    assert PARSER.parse("-- " + "가" * 300_000) == ()
    with pytest.raises(ThanosqlError) as caught:
        PARSER.parse("-- " + "가" * 350_000)
    assert caught.value.reason is Reason.STATEMENT_TOO_LARGE
