"""Fits the tokens of a statement to `grammar.lark`.

Words have no type of their own: `MODEL` is a keyword after BUILD and a fine name for a table after
FROM. So each token is given the terminal that the grammar accepts at that point.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from importlib import resources
from typing import Protocol

from lark import Lark, Tree
from lark import Token as Terminal
from lark.exceptions import UnexpectedToken

from services.parser.core.fragment import Fragment
from services.parser.core.nesting import starts_query
from services.parser.core.scanner import TokenKind
from services.parser.core.unexpected import unexpected

_REST = frozenset({"QUERY", "STATEMENT", "ASSIGNMENTS", "CONDITION", "TYPE"})
_NAMES = ("TABLE_NAME", "COLUMN_NAME", "MODEL_NAME", "MODEL_REFERENCE", "OBJECT_NAME", "OPTION_NAME")
_STRINGS = ("SOURCE", "JOB_ID", "VALUE")
_SYMBOLS = {
    "(": "LPAR",
    ")": "RPAR",
    "[": "LSQB",
    "]": "RSQB",
    ",": "COMMA",
    "=": "EQUAL",
    "-": "MINUS",
    "+": "PLUS",
}
_NOT_KEYWORDS = frozenset({*_REST, *_NAMES, *_STRINGS, *_SYMBOLS.values(), "NUMBER", "$END"})
_NOTHING = "UNKNOWN"


class _Progress(Protocol):
    """What is used of lark's interactive parser, which has no types."""

    def choices(self) -> Iterable[str]: ...

    def accepts(self) -> set[str]: ...

    def feed_token(self, token: Terminal) -> object: ...

    def feed_eof(self) -> Tree[Terminal]: ...


class StatementGrammar:
    """The grammar, compiled once; safe to share between threads."""

    def __init__(self) -> None:
        rules = resources.files("services.parser.core").joinpath("grammar.lark").read_text(encoding="utf-8")
        self._lark = Lark(rules, parser="lalr", lexer="basic", maybe_placeholders=False)

    def parse(self, statement: Fragment) -> Tree[Terminal]:
        """The tree of one statement.

        Its leaves carry the indices of the first token and of the one past the last, as
        `start_pos` and `end_pos`.

        Raises:
            ThanosqlError: The statement does not fit the grammar.
        """
        progress: _Progress = self._lark.parse_interactive()
        index = statement.low
        while index < statement.high:
            accepted = {name for name in progress.choices() if name.isupper()}
            terminal, after = _fit(statement, index, accepted)
            text = statement.tokens[index].text
            try:
                progress.feed_token(Terminal(terminal, text, start_pos=index, end_pos=after))
            except UnexpectedToken as misfit:
                raise unexpected(statement, index, progress.accepts()) from misfit
            index = after
        try:
            return progress.feed_eof()
        except UnexpectedToken as misfit:
            raise unexpected(statement, statement.high, progress.accepts()) from misfit


def _fit(statement: Fragment, index: int, accepted: AbstractSet[str]) -> tuple[str, int]:
    """The terminal for the token there, and the index past the tokens that it takes."""
    token = statement.tokens[index]
    rest = _REST & accepted
    if rest and (len(accepted) == 1 or _is_query(statement, index, accepted)):
        return next(iter(rest)), statement.high
    if token.upper in accepted and token.upper not in _NOT_KEYWORDS:
        return token.upper, index + 1
    if token.kind is TokenKind.NUMBER:
        return "NUMBER", index + 1
    if token.kind is TokenKind.SYMBOL:
        return _SYMBOLS.get(token.text, _NOTHING), index + 1
    return _fit_name(statement, index, accepted)


def _fit_name(statement: Fragment, index: int, accepted: AbstractSet[str]) -> tuple[str, int]:
    kind = statement.tokens[index].kind
    if kind in (TokenKind.WORD, TokenKind.QUOTED):
        for terminal in _NAMES:
            if terminal in accepted:
                versioned = terminal == "MODEL_REFERENCE" and _version_follows(statement, index)
                return terminal, index + (2 if versioned else 1)
    if kind in (TokenKind.STRING, TokenKind.QUOTED):
        for terminal in _STRINGS:
            if terminal in accepted:
                return terminal, index + 1
    return _NOTHING, index + 1


def _is_query(statement: Fragment, index: int, accepted: AbstractSet[str]) -> bool:
    if "QUERY" not in accepted or statement.tokens[index].upper in accepted:
        return False
    if "LPAR" in accepted and statement.symbol_at(index, "("):
        return starts_query(statement, index + 1)
    return starts_query(statement, index)


def _version_follows(statement: Fragment, index: int) -> bool:
    """Whether `.2` stands directly behind the name, which a scanner takes for a number."""
    if index + 1 >= statement.high:
        return False
    token = statement.tokens[index + 1]
    return token.start == statement.tokens[index].end and token.text[0] == "." and token.text[1:].isdecimal()
