"""Bounds on functions that make much out of little.

DuckDB's memory limit does not see what these allocate at once, and nothing interrupts them:
`repeat('x', 3000000000)` took 5.9 GB under a limit of 256 MB. Macros of the same names check their
arguments first; the sandbox refuses the qualified names that would go round them.
"""

from collections.abc import Sequence

_MOST = 1_000_000
# Out of nothing: each of the 2048 rows of a step, and each function over them, makes as much again.
_MOST_MADE = 100_000


def _bounded(count: str, argument: str, most: int = _MOST) -> str:
    """Write the argument, refused while it is evaluated when the count is too large."""
    refused = f"error('more than one value may hold: {most} characters or items')"
    return f"CASE WHEN {count} > {most} THEN {refused} ELSE {argument} END"


_REPEATED = _bounded("len(s)::DOUBLE * n", "n", _MOST_MADE)
_SIZED = _bounded("n", "n", _MOST_MADE)
# Every character of the text may be replaced, so ten times the bound leaves room for honest use.
_REPLACED = _bounded("len(s)::DOUBLE * len(r) / 10", "r")
_FLAT = _bounded("list_sum(list_transform(l, lambda i: len(i)))", "l")


def _comparable(most: int) -> str:
    """Write the second of two texts, refused when comparing each byte with each is too much."""
    refused = f"error('texts whose lengths multiplied exceed {most} cannot be compared; shorten them')"
    return f"CASE WHEN strlen(a)::DOUBLE * strlen(b) > {most} THEN {refused} ELSE b END"


def _stretch(step: str) -> str:
    """Write the end `n` of a stretch from `a`, of numbers or of times: their texts tell which."""
    numbers = _steps([f"TRY_CAST({each}::VARCHAR AS DOUBLE)" for each in ("n", "a", step)])
    seconds = [f"epoch(TRY_CAST({each}::VARCHAR AS TIMESTAMP))" for each in ("n", "a")]
    times = _steps([*seconds, f"epoch(TRY_CAST({step}::VARCHAR AS INTERVAL))"])
    return _bounded(f"coalesce({numbers}, {times})", "n", _MOST_MADE)


def _steps(parts: Sequence[str]) -> str:
    end, begin, step = parts
    return f"({end} - {begin}) / nullif({step}, 0)"


# The first of these keeps 8 bytes for each pair of bytes; the others keep none, but take their time.
_MOST_PAIRS = {
    "damerau_levenshtein": _MOST,
    "levenshtein": 100 * _MOST,
    "editdist3": 100 * _MOST,
}

GUARDS = (
    f"CREATE MACRO repeat(s, n) AS system.main.repeat(s, {_REPEATED})",
    f"CREATE MACRO lpad(s, n, c) AS system.main.lpad(s, {_SIZED}, c)",
    f"CREATE MACRO rpad(s, n, c) AS system.main.rpad(s, {_SIZED}, c)",
    f"CREATE MACRO replace(s, f, r) AS system.main.replace(s, f, {_REPLACED})",
    f"CREATE MACRO regexp_replace(s, f, r) AS system.main.regexp_replace(s, f, {_REPLACED}), "
    f"(s, f, r, o) AS system.main.regexp_replace(s, f, {_REPLACED}, o)",
    f"CREATE MACRO flatten(l) AS system.main.flatten({_FLAT})",
    f"CREATE MACRO bitstring(s, n) AS system.main.bitstring(s, {_SIZED})",
    *(
        f"CREATE MACRO {name}(s, n) AS system.main.{name}(s, {_SIZED}), "
        f"(s, n, v) AS system.main.{name}(s, {_SIZED}, v)"
        for name in ("list_resize", "array_resize")
    ),
    *(
        f"CREATE MACRO {name}(n) AS system.main.{name}({_SIZED}), "
        f"(a, n) AS system.main.{name}(a, {_stretch('1')}), "
        f"(a, n, s) AS system.main.{name}(a, {_stretch('s')}, s)"
        for name in ("range", "generate_series")
    ),
    *(
        f"CREATE MACRO {name}(a, b) AS system.main.{name}(a, {_comparable(most)})"
        for name, most in _MOST_PAIRS.items()
    ),
)
"""Statements that a fresh connection runs before a user's query."""
