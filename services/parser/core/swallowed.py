"""Refuses what sqlglot would accept and then drop: stray commas, locks and hints.

What somebody wrote either runs or is an error; nothing is left out of a query in silence.
"""

from collections.abc import Mapping

from sqlglot import exp

from services.parser.core.faults import fault
from services.parser.core.fragment import Fragment
from services.parser.core.rewriting import Rewritten
from services.parser.core.scanner import Token
from thanosql_runtime.errors import Span

_OPENING = frozenset("([{,")
_CLOSING = frozenset(")]}")
# PostgreSQL reserves all of them, so none is the name of a column or of a function.
_NEVER_AFTER_COMMA = frozenset(
    {
        "FROM",
        "WHERE",
        "GROUP",
        "HAVING",
        "WINDOW",
        "ORDER",
        "LIMIT",
        "OFFSET",
        "FETCH",
        "FOR",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "INTO",
        "JOIN",
        "ON",
        "AS",
        "THEN",
        "WHEN",
        "END",
    }
)
_NEVER_BEFORE_COMMA = frozenset({"SELECT", "DISTINCT", "FROM", "WHERE", "HAVING", "ON"})
_BEFORE_BY = frozenset({"ORDER", "GROUP", "PARTITION"})
_DROPPED: Mapping[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    exp.Lock: ("queries do not lock rows", ("FOR UPDATE", "FOR SHARE", "FOR NO", "FOR KEY", "LOCK IN")),
    exp.Cluster: ("CLUSTER BY is not supported", ("CLUSTER BY",)),
    exp.Distribute: ("DISTRIBUTE BY is not supported", ("DISTRIBUTE BY",)),
    exp.Sort: ("SORT BY is not supported; use ORDER BY", ("SORT BY",)),
    exp.WithTableHint: ("table hints are not supported", ("WITH",)),
}


def refuse_stray_commas(rewritten: Rewritten) -> None:
    """Refuse a comma with nothing before it or nothing after it.

    Raises:
        ThanosqlError: There is such a comma.
    """
    fragment, indices = rewritten.fragment, rewritten.indices
    for position, index in enumerate(indices):
        if fragment.tokens[index].text != ",":
            continue
        if position and _ends_nothing(fragment, indices[position - 1]):
            raise fault("there is nothing before this comma", fragment.token_span(index))
        if position + 1 == len(indices) or _begins_nothing(fragment.tokens[indices[position + 1]]):
            raise fault("there is nothing after this comma", fragment.token_span(index))


def refuse_dropped(node: exp.Expr, fragment: Fragment) -> None:
    """Refuse a part of a query that has no form in DuckDB.

    Raises:
        ThanosqlError: The node is such a part.
    """
    message, words = _DROPPED.get(type(node), ("", ()))
    if isinstance(node, exp.LimitOptions):
        for option, word in (("with_ties", "TIES"), ("percent", "PERCENT")):
            if node.args.get(option):
                message, words = f"FETCH does not support {word}", (word,)
    if message:
        raise fault(message, word_span(fragment, *words))


def word_span(fragment: Fragment, *wanted: str) -> Span:
    """The place of the first of some words, or pairs of words, in capitals; or that of everything."""
    for index in range(fragment.low, fragment.high):
        word = fragment.word_at(index)
        if word and word in wanted:
            return fragment.token_span(index)
        if word and f"{word} {fragment.word_at(index + 1)}" in wanted:
            return fragment.token_span(index, index + 1)
    return fragment.span


def _ends_nothing(fragment: Fragment, index: int) -> bool:
    token = fragment.tokens[index]
    if token.text in _OPENING:
        return True
    if token.upper == "BY":
        return fragment.word_at(index - 1) in _BEFORE_BY
    return token.upper in _NEVER_BEFORE_COMMA and not fragment.symbol_at(index - 1, ".")


def _begins_nothing(token: Token) -> bool:
    return token.text in _CLOSING or token.upper in _NEVER_AFTER_COMMA
