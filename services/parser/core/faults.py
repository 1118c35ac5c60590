"""Errors of the parser, each with its place, and the search for the name that was meant."""

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from thanosql_runtime.errors import Reason, Span, StatementError, ThanosqlError

_LONGEST_COMPARED = 64
_SHORTEST_COMPARED = 3


def fault(
    message: str,
    span: Span,
    *,
    reason: Reason = Reason.SYNTAX_ERROR,
    expected: Iterable[str] = (),
    suggestion: str = "",
    known: Iterable[str] = (),
) -> ThanosqlError:
    """Build the error that a client draws under the statement."""
    statement = StatementError(span=span, expected=tuple(expected), suggestion=suggestion, known=tuple(known))
    return ThanosqlError(reason=reason, message=message, statement=statement)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that `name` is probably a slip of, or an empty string.

    Case does not count. A slip is one wrong, missing, extra or swapped letter for each three
    letters, so that unrelated words are never offered; among words of three letters, which are all
    alike, only a missing or swapped letter is one.
    """
    if not _SHORTEST_COMPARED <= len(name) <= _LONGEST_COMPARED:
        return ""
    likely = known if len(name) > _SHORTEST_COMPARED else _longer_or_swapped(name.casefold(), known)
    found = process.extractOne(
        name, list(likely), scorer=OSA.distance, processor=str.casefold, score_cutoff=max(1, len(name) // 3)
    )
    return "" if found is None else str(found[0])


def _longer_or_swapped(name: str, known: Iterable[str]) -> list[str]:
    return [other for other in known if len(other) > len(name) or sorted(other.casefold()) == sorted(name)]


def quoted(keyword: str) -> str:
    """A keyword as an error names what it expected."""
    return f"'{keyword}'"


def shorten(text: str, limit: int = 40) -> str:
    """The text as an error shows it: on one line and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
