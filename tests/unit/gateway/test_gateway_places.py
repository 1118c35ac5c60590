"""Places of errors in the text of a call."""

import pytest

from services.gateway.core.places import option_place, place, placed_in
from services.gateway.core.plan_parts import Name, Query
from services.gateway.core.plans import PrintAudio
from thanosql_runtime.errors import Reason, Span, StatementError, ThanosqlError, error

TEXT = "SELECT 1;\nSELECT a.word, words\nFROM Alpha a, beta"


def span(part: str, start: int = 0) -> Span:
    begin = TEXT.index(part, start)
    line_start = TEXT.rfind("\n", 0, begin) + 1
    return Span(
        start=begin,
        end=begin + len(part),
        line=TEXT.count("\n", 0, begin) + 1,
        column=begin - line_start + 1,
    )


QUERY = Query(
    sql="...",
    tables=[Name(text="alpha", span=span("Alpha")), Name(text="beta", span=span("beta"))],
    nested=[],
    span=span(TEXT[10:]),
)


def placed(failure: ThanosqlError) -> StatementError:
    with pytest.raises(ThanosqlError) as raised, placed_in(QUERY, TEXT):
        raise failure
    assert raised.value.statement is not None
    return raised.value.statement


def test_a_table_is_found_among_the_names_of_the_query() -> None:
    assert placed(error(Reason.TABLE_NOT_FOUND, "?", table="ALPHA")).span == span("Alpha")


def test_a_column_is_found_as_a_whole_word() -> None:
    assert placed(error(Reason.COLUMN_NOT_FOUND, "?", column="words")).span == span("words")
    assert placed(error(Reason.COLUMN_NOT_FOUND, "?", column="WORD")).span == span("word")


def test_what_is_not_found_leads_to_the_query() -> None:
    for failure in (
        error(Reason.COLUMN_NOT_FOUND, "?", column="nothing"),
        error(Reason.TABLE_NOT_FOUND, "?"),
        error(Reason.QUERY_FAILED, "?"),
    ):
        assert placed(failure).span == QUERY.span


def test_names_that_a_service_offers_are_kept() -> None:
    failure = error(
        Reason.TABLE_NOT_FOUND, "?", table="alpha", suggestion="alpine", known="alpine, beta, ..."
    )
    assert placed(failure).suggestion == "alpine"
    assert placed(failure).known == ("alpine", "beta")


def test_the_first_place_stays() -> None:
    failure = place(error(Reason.QUERY_FAILED, "?"), span("beta"))
    assert placed(failure).span == span("beta")


def test_an_option_is_found_where_it_stands_once_in_quotes() -> None:
    text = "PRINT AUDIO OPTIONS (audio_col='file') AS SELECT x FROM t"
    whole = Span(start=0, end=len(text), line=1, column=1)
    query = Query(sql="", tables=[], nested=[], span=Span(start=42, end=len(text), line=1, column=43))
    statement = PrintAudio(audio_col="file", query=query, span=whole)
    found = option_place(text, statement, "file")
    assert text[found.start : found.end] == "'file'"
    assert option_place(text, statement, "audio_path") == query.span
    assert option_place(text.replace("x", "'file'"), statement, "file") == query.span
