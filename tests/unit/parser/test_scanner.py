"""Tokens: where they start, what they hold, and which texts have none."""

import pytest

from services.parser.core.scanner import TokenKind, scan, string_value
from services.parser.core.source import Source
from thanosql_runtime.errors import ThanosqlError


def tokens(text: str) -> list[tuple[TokenKind, str]]:
    return [(token.kind, token.text) for token in scan(Source(text))]


def test_words_numbers_and_symbols() -> None:
    assert tokens("a1 <= 1.5e-3, $1::x") == [
        (TokenKind.WORD, "a1"),
        (TokenKind.SYMBOL, "<="),
        (TokenKind.NUMBER, "1.5e-3"),
        (TokenKind.SYMBOL, ","),
        (TokenKind.SYMBOL, "$"),
        (TokenKind.NUMBER, "1"),
        (TokenKind.SYMBOL, "::"),
        (TokenKind.WORD, "x"),
    ]


def test_comments_and_space_are_no_tokens() -> None:
    assert tokens("-- a ' ;\n/* /* ; */ ' */ \t\n") == []


def test_a_token_knows_its_place() -> None:
    text = "SELECT /* x */ 'a b'"

    assert [text[token.start : token.end] for token in scan(Source(text))] == ["SELECT", "'a b'"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "it's"),
        ('"a ""b"""', 'a "b"'),
        ("'a\\'", "a\\"),
        (r"E'a\'b\n\t\\'", "a'b\n\t\\"),
        ("e'it''s'", "it's"),
        ("$$it's$$", "it's"),
        ("$tag$ $$ $tag$", " $$ "),
        ("''", ""),
        ("$$$$", ""),
    ],
)
def test_the_value_of_a_quoted_token(text: str, value: str) -> None:
    (token,) = scan(Source(text))

    assert string_value(token) == value


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("SELECT 'a", 7, 8), ('x "a', 2, 3), ("$a$ $b$", 0, 3), ("1 /* /* */", 2, 4), (r"E'a\'", 0, 2)],
)
def test_what_is_never_closed_is_reported_where_it_opens(text: str, start: int, end: int) -> None:
    with pytest.raises(ThanosqlError) as caught:
        scan(Source(text))

    assert caught.value.statement is not None
    span = caught.value.statement.span
    assert (span.start, span.end) == (start, end)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("SELECT 1 \0", 9, "the text has a NUL character"),
        ("SELECT 'a\0b'", 9, "the text has a NUL character"),
        ("SELECT 1 \x07", 9, "the character U+0007 cannot be used here"),
        ("SELECT a\u200b FROM t", 8, "the character U+200B cannot be used here"),
        ("LIST MODEL;\ufeffLIST TABLE", 11, "the character U+FEFF cannot be used here"),
        ("SELECT \u201ca\u201d", 7, "\u201c is not a quotation mark here; use straight quotes"),
    ],
)
def test_what_no_statement_can_hold_is_reported_where_it_is(text: str, place: int, message: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        scan(Source(text))

    assert caught.value.message == message
    assert caught.value.statement is not None
    span = caught.value.statement.span
    assert (span.start, span.end) == (place, place + 1)


def test_strings_names_and_comments_hold_any_other_character() -> None:
    found = tokens("'\u201ca\u200b' \"\x07\" -- \u2018\ufeff")

    assert found == [(TokenKind.STRING, "'\u201ca\u200b'"), (TokenKind.QUOTED, '"\x07"')]


def test_a_byte_order_mark_in_front_is_skipped() -> None:
    (token, _) = scan(Source("\ufeffLIST MODEL"))

    assert (token.text, token.start) == ("LIST", 1)


def test_lines_and_columns_count_characters_from_one() -> None:
    source = Source("가나\r\n다 라\n")

    assert (source.span(0, 2).line, source.span(0, 2).column) == (1, 1)
    assert (source.span(6, 7).line, source.span(6, 7).column) == (2, 3)
    assert (source.span(8, 8).line, source.span(8, 8).column) == (3, 1)


def test_a_span_never_leaves_the_text() -> None:
    span = Source("abc").span(2, 99)

    assert (span.start, span.end, span.length) == (2, 3, 1)
