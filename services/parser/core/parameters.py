"""Finds the parameter in a query, for the error that refuses it."""

from collections.abc import Iterator

from services.parser.core.fragment import Fragment
from services.parser.core.rewriting import Rewritten
from services.parser.core.scanner import TokenKind
from thanosql_runtime.errors import Span

_MARKS = ("?", "$", ":", "@", "%")
_OPERANDS = frozenset({TokenKind.NUMBER, TokenKind.STRING, TokenKind.QUOTED})
# A word before a mark is an operand, as in `a % b`, unless it is one of these.
_BEFORE_VALUES = frozenset(
    {"SELECT", "DISTINCT", "WHERE", "HAVING", "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "ON"}
    | {"CASE", "WHEN", "THEN", "ELSE", "LIMIT", "OFFSET", "BY"}
)


def parameter_span(rewritten: Rewritten) -> Span:
    """The place of the first parameter: `?`, `$1`, `:name`, `@name` or `%s`.

    `%`, `:` and `?` between two operands are operators: they count only where there is nothing else.
    """
    fragment = rewritten.fragment
    marks = [index for index in rewritten.indices if fragment.tokens[index].text in _MARKS]
    if not marks:
        return fragment.span
    return _with_name(fragment, next(_not_operators(fragment, marks), marks[0]))


def _not_operators(fragment: Fragment, marks: list[int]) -> Iterator[int]:
    for index in marks:
        before = fragment.tokens[index - 1]
        operand = (
            before.kind in _OPERANDS
            or before.text in (")", "]")
            or (before.upper and before.upper not in _BEFORE_VALUES)
        )
        if not operand:
            yield index


def _with_name(fragment: Fragment, mark: int) -> Span:
    named = mark + 1 < fragment.high and fragment.tokens[mark + 1].start == fragment.tokens[mark].end
    kind = fragment.tokens[mark + 1].kind if named else None
    return fragment.token_span(mark, mark + 1 if kind in (TokenKind.WORD, TokenKind.NUMBER) else mark)
