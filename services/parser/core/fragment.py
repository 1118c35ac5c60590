"""Stretches of tokens: a statement, a query inside it, a statement nested in the query."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.parser.core.faults import fault, quoted
from services.parser.core.scanner import Token
from services.parser.core.source import Source
from thanosql_runtime.errors import Reason, Span

MAX_BRACKETS = 400
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """The tokens from `low` to `high` (exclusive) of a scanned text.

    Attributes:
        source: The whole text of the call.
        tokens: All tokens of the call.
        closers: For the index of every opening bracket, the index of the one that closes it.
        low: First token.
        high: One past the last token.
        depth: How many statements this one is nested in.
    """

    source: Source
    tokens: list[Token] = field(repr=False)
    closers: dict[int, int] = field(repr=False)
    low: int
    high: int
    depth: int = 0

    def part(self, low: int, high: int, *, deeper: int = 0) -> "Fragment":
        """A stretch of the same text."""
        return Fragment(
            source=self.source,
            tokens=self.tokens,
            closers=self.closers,
            low=low,
            high=high,
            depth=self.depth + deeper,
        )

    def __bool__(self) -> bool:
        return self.low < self.high

    @property
    def start(self) -> int:
        """Offset of the first character; for an empty stretch the place where it would stand."""
        if self:
            return self.tokens[self.low].start
        return self.tokens[self.low - 1].end if self.low else 0

    @property
    def end(self) -> int:
        """Offset past the last character."""
        return self.tokens[self.high - 1].end if self else self.start

    @property
    def span(self) -> Span:
        """The place of the whole stretch."""
        return self.source.span(self.start, self.end)

    def token_span(self, index: int, last: int | None = None) -> Span:
        """The place of one token, or of those from `index` to `last` (inclusive)."""
        end = self.tokens[index if last is None else last].end
        return self.source.span(self.tokens[index].start, end)

    def word_at(self, index: int) -> str:
        """The word there in capitals, or an empty string for other tokens and past the end."""
        return self.tokens[index].upper if self.low <= index < self.high else ""

    def symbol_at(self, index: int, symbol: str) -> bool:
        """Whether that symbol stands there."""
        return self.low <= index < self.high and self.tokens[index].is_symbol(symbol)

    def without_outer_brackets(self) -> "Fragment":
        """The same without the parentheses that enclose all of it."""
        inner = self
        while inner.symbol_at(inner.low, "(") and inner.closers[inner.low] == inner.high - 1:
            inner = inner.part(inner.low + 1, inner.high - 1)
        return inner


def split(source: Source, tokens: list[Token]) -> Iterator[Fragment]:
    """The statements of a call: what stands between semicolons, empty ones left out.

    Raises:
        ThanosqlError: Brackets do not match, or a semicolon stands inside them.
    """
    closers = _match_brackets(source, tokens)
    low = 0
    for index, token in enumerate(tokens):
        if token.is_symbol(";"):
            if low < index:
                yield Fragment(source=source, tokens=tokens, closers=closers, low=low, high=index)
            low = index + 1
    if low < len(tokens):
        yield Fragment(source=source, tokens=tokens, closers=closers, low=low, high=len(tokens))


def _match_brackets(source: Source, tokens: list[Token]) -> dict[int, int]:
    closers: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if len(token.text) != 1 or token.text not in "()[]{};":
            continue
        if token.text in _CLOSING:
            opened.append(index)
            if len(opened) > MAX_BRACKETS:
                message = f"brackets are nested deeper than {MAX_BRACKETS}"
                place = source.span(token.start, token.end)
                raise fault(message, place, reason=Reason.STATEMENT_TOO_LARGE)
        elif token.text == ";":
            _refuse_semicolon(source, tokens, opened, index)
        else:
            closers[_closed_by(source, tokens, opened, token)] = index
    if opened:
        opening = tokens[opened[-1]]
        message = f"'{opening.text}' is never closed"
        raise fault(
            message, source.span(opening.start, opening.end), expected=[quoted(_CLOSING[opening.text])]
        )
    return closers


def _refuse_semicolon(source: Source, tokens: list[Token], opened: list[int], index: int) -> None:
    if not opened:
        return
    opening, semicolon = tokens[opened[-1]], tokens[index]
    place = source.span(opening.start, opening.end)
    message = (
        f"';' inside brackets: the '{opening.text}' at line {place.line}, column {place.column} is still open"
    )
    raise fault(
        message, source.span(semicolon.start, semicolon.end), expected=[quoted(_CLOSING[opening.text])]
    )


def _closed_by(source: Source, tokens: list[Token], opened: list[int], token: Token) -> int:
    place = source.span(token.start, token.end)
    if not opened:
        raise fault(f"unmatched '{token.text}'", place)
    index = opened.pop()
    opening = tokens[index]
    if _CLOSING[opening.text] != token.text:
        expected = _CLOSING[opening.text]
        raise fault(f"'{token.text}' where '{expected}' was expected", place, expected=[quoted(expected)])
    return index
