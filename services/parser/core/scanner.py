"""Cuts the text of a call into tokens: words, strings, numbers and symbols, without comments.

The rules are PostgreSQL's, because users write its SQL: doubled quotes, `E'..'` escapes, dollar
quotes, and block comments that nest. One pass, linear in the text.
"""

import enum
import re
from typing import NamedTuple

from services.parser.core.faults import fault, shorten
from services.parser.core.source import Source
from thanosql_runtime.errors import Reason

# Bounds the time that a text takes, which grows with its tokens and not with its bytes.
MAX_TOKENS = 20_000


class TokenKind(enum.Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted"  # "double quotes": a name, or a string where only a string may stand
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"


class Token(NamedTuple):
    """One token and its place, in characters of the text of the call."""

    kind: TokenKind
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The word in capitals; empty for everything but words, so that it compares safely."""
        return self.text.upper() if self.kind is TokenKind.WORD else ""

    def is_symbol(self, symbol: str) -> bool:
        """Whether this is the given symbol."""
        return self.kind is TokenKind.SYMBOL and self.text == symbol


_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<line_comment>--[^\n\r]*)
    | (?P<block_comment>/\*)
    | (?P<string>[eE]'[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+' | '[^']*+(?:''[^']*+)*+')
    | (?P<quoted>"[^"]*+(?:""[^"]*+)*+")
    | (?P<open_quote>[eE]?'|")
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<number>(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)
    | (?P<word>[^\W\d][\w$]*+)
    | (?P<symbol>::|<=|>=|<>|!=|\|\||->>|->|=>|:=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_KINDS = {
    "word": TokenKind.WORD,
    "quoted": TokenKind.QUOTED,
    "string": TokenKind.STRING,
    "number": TokenKind.NUMBER,
}
_BYTE_ORDER_MARK = "\ufeff"
# Typographic quotes, which word processors put in, and the backtick of other dialects.
_OTHER_QUOTES = "\u2018\u2019\u201a\u201b\u2039\u203a\u0060\u00b4\u201c\u201d\u201e\u201f\u00ab\u00bb"


def scan(source: Source) -> list[Token]:
    """All tokens of a text, comments and space left out.

    Raises:
        ThanosqlError: A quote, a dollar quote or a block comment is never closed, a character cannot
            be part of a statement, or there are more than `MAX_TOKENS` tokens.
    """
    text = source.text
    if "\0" in text:
        place = source.span(text.index("\0"), text.index("\0") + 1)
        raise fault("the text has a NUL character", place)
    tokens: list[Token] = []
    position = 1 if text.startswith(_BYTE_ORDER_MARK) else 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None, "the last symbol matches anything"
        group, end = match.lastgroup or "symbol", match.end()
        if group == "block_comment":
            end = _end_of_comment(source, position)
        elif group == "dollar":
            end = _end_of_dollar_quote(source, match)
            tokens.append(Token(TokenKind.STRING, text[position:end], position, end))
        elif group == "open_quote":
            raise fault(
                f"the quote {match.group()[-1]} is never closed",
                source.span(position, end),
                expected=["the closing quote"],
            )
        elif group == "symbol":
            _refuse_odd_symbol(source, match)
            tokens.append(Token(TokenKind.SYMBOL, match.group(), position, end))
        elif group in _KINDS:
            tokens.append(Token(_KINDS[group], match.group(), position, end))
        position = end
        if len(tokens) > MAX_TOKENS:
            message = f"the text has more than {MAX_TOKENS} tokens; use COPY to load many rows"
            raise fault(message, source.span(tokens[-1].start, end), reason=Reason.STATEMENT_TOO_LARGE)
    return tokens


def _refuse_odd_symbol(source: Source, match: "re.Match[str]") -> None:
    symbol = match.group()
    if symbol.isascii() and symbol.isprintable() and symbol != "`":
        return
    place = source.span(match.start(), match.end())
    if symbol in _OTHER_QUOTES:
        message = f"{symbol} is not a quotation mark here; use straight quotes"
        raise fault(message, place, expected=["' around a string", '" around a name'])
    if not symbol.isprintable():
        raise fault(f"the character U+{ord(symbol):04X} cannot be used here", place)


def string_value(token: Token) -> str:
    """What a quoted token holds, without its quotes."""
    text = token.text
    if text.startswith("$"):
        tag = text.index("$", 1) + 1
        return text[tag:-tag]
    if text[0] in "eE":
        return re.sub(r"''|\\(.)", _unescape, text[2:-1], flags=re.DOTALL)
    return text[1:-1].replace(text[0] * 2, text[0])


def shown(token: Token) -> str:
    """The token as an error names it: in quotes, its own or ours."""
    text = shorten(token.text)
    return text if token.kind in (TokenKind.STRING, TokenKind.QUOTED) else f"'{text}'"


def _unescape(match: "re.Match[str]") -> str:
    escaped = match.group(1)
    return "'" if escaped is None else {"n": "\n", "t": "\t", "r": "\r"}.get(escaped, escaped)


def _end_of_comment(source: Source, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(source.text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise fault("the comment is never closed", source.span(start, start + 2), expected=["*/"])


def _end_of_dollar_quote(source: Source, opening: "re.Match[str]") -> int:
    found = source.text.find(opening.group(), opening.end())
    if found < 0:
        place = source.span(opening.start(), opening.end())
        raise fault(f"the quote {opening.group()} is never closed", place, expected=[opening.group()])
    return found + len(opening.group())
