"""Finds the statements that stand inside a query, in parentheses, where a table may."""

from services.parser.core.faults import fault, nearest, quoted
from services.parser.core.fragment import Fragment

MAX_NESTING = 16
NESTABLE = ("LIST", "PREDICT", "EVALUATE", "CONVERT", "SEARCH")
QUERY_STARTS = ("SELECT", "WITH", "VALUES", "TABLE")

# The second word tells a statement from a column of that name: `(list + 1)` is arithmetic.
_SECOND_WORDS = {
    "LIST": ("MODEL", "TABLE", "THANOSQL"),
    "PREDICT": ("USING", "OPTIONS"),
    "EVALUATE": ("USING", "OPTIONS"),
    "CONVERT": ("USING", "OPTIONS"),
    "SEARCH": ("AUDIO", "TEXT", "KEYWORD", "USING", "OPTIONS"),
    "SHOW": ("TABLE", "MODEL", "EVALUATIONS"),
}
_NEVER_NESTED = {
    "ALTER": ("TABLE",),
    "BUILD": ("MODEL",),
    "CANCEL": ("JOB",),
    "CREATE": ("TABLE", "OR"),
    "DELETE": ("FROM", "MODEL", "TRANSCRIPTS"),
    "DESCRIBE": ("MODEL",),
    "DROP": ("TABLE",),
    "EXPLAIN": (*QUERY_STARTS, *NESTABLE, "BUILD"),
    "FIT": ("MODEL",),
    "GET": ("THANOSQL",),
    "INSERT": ("INTO",),
    "PRINT": ("AUDIO", "IMAGE", "VIDEO"),
    "RESTORE": ("TABLE",),
    "RESUME": ("JOB",),
    "SHOW": ("BUILD", "JOBS", "JOB", "TRANSCRIPTS", "LOADED"),
    "UNLOAD": ("MODEL",),
    "UPLOAD": ("MODEL",),
}


def starts_nested(fragment: Fragment, index: int) -> bool:
    """Whether a statement begins there that may stand in another, perhaps with a slip in its second word."""
    seconds = _SECOND_WORDS.get(fragment.word_at(index))
    second = fragment.word_at(index + 1)
    return seconds is not None and (second in seconds or bool(nearest(second, seconds)))


def starts_query(fragment: Fragment, index: int) -> bool:
    """Whether a query may begin there."""
    word = fragment.word_at(index)
    return word in QUERY_STARTS or fragment.symbol_at(index, "(") or starts_nested(fragment, index)


def refuse_misplaced(fragment: Fragment, index: int) -> None:
    """Refuse a statement that may not stand inside a query.

    Args:
        fragment: The query.
        index: Where a statement or a query begins.

    Raises:
        ThanosqlError: A statement begins there that is none of LIST, SHOW ... VERSIONS, PREDICT, EVALUATE,
            CONVERT and SEARCH.
    """
    first, second = fragment.word_at(index), fragment.word_at(index + 1)
    copies = first == "COPY" and fragment.word_at(index + 2) in ("FROM", "OPTIONS")
    if copies or second in _NEVER_NESTED.get(first, ()):
        label = first if copies or first == "EXPLAIN" else f"{first} {second}"
        message = f"{label} cannot be used inside another statement"
        raise fault(message, fragment.token_span(index), expected=["a query", *map(quoted, NESTABLE)])


def refuse_without_brackets(fragment: Fragment, index: int) -> None:
    """Refuse `FROM PREDICT USING ...`: a nested statement needs parentheses.

    Raises:
        ThanosqlError: A nested statement follows FROM or JOIN directly.
    """
    first = fragment.word_at(index)
    if fragment.word_at(index - 1) not in ("FROM", "JOIN") or first not in _SECOND_WORDS:
        return
    if fragment.word_at(index + 1) in _SECOND_WORDS[first]:
        message = f"{first} inside a query needs parentheses around it"
        raise fault(message, fragment.token_span(index), expected=[quoted(f"({first} ...)")])
