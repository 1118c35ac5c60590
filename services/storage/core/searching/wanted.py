"""What SEARCH KEYWORD asks for, and how its input is read: words, "phrases", words~."""

from dataclasses import dataclass

from thanosql_runtime.errors import Reason, ThanosqlError, error

MOST_WORDS = 100
_CURLY_QUOTES = str.maketrans("“”„‟＂", '"""""')


@dataclass(frozen=True, kw_only=True)
class KeywordSearch:
    """Which rows of a query are wanted, and in which column their scores stand.

    Attributes:
        search_input: Words, phrases in double quotes, and words with `~` behind them.
        text_col: Column of the query that holds the texts.
        result_col: Name of the column with the scores.
        top_k: Rows at most.
        explain_only: Only check it, and remark how the rows would be found.
    """

    search_input: str
    text_col: str
    result_col: str
    top_k: int
    explain_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of the input, not yet cut into words.

    Attributes:
        text: As it was written, without quotes and the tilde.
        is_phrase: Its words must stand one behind the other.
        is_loose: Words like its word count too, even where rows have the word itself.
    """

    text: str
    is_phrase: bool = False
    is_loose: bool = False


def read_pieces(search_input: str) -> list[Piece]:
    """Cut the input at its quotes and spaces.

    Raises:
        ThanosqlError: INVALID_OPTION_VALUE for a quote that is not closed.
    """
    parts = search_input.translate(_CURLY_QUOTES).split('"')
    if len(parts) % 2 == 0:
        raise bad_input(f'a phrase in {search_input!r} is not closed; write it as "two words"')
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        if number % 2:
            pieces.append(Piece(text=part, is_phrase=True))
        else:
            pieces += [Piece(text=word, is_loose=word.endswith("~")) for word in part.split()]
    return pieces


def bad_input(message: str) -> ThanosqlError:
    """Build the error for an input that cannot be searched for."""
    return error(Reason.INVALID_OPTION_VALUE, message, option="search_input")
