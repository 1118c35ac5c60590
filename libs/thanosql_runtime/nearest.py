"""The known name that a mistyped one may have meant."""

from collections.abc import Iterable

from rapidfuzz import process

# Of 100: what is less alike is not offered.
_LEAST = 60


def nearest(name: str, known: Iterable[str], *, least: int = _LEAST) -> str:
    """Return the known name most like this one, or an empty string where none is near.

    Args:
        name: As it was written.
        known: What there is.
        least: How much alike the two must be, of 100.
    """
    found = process.extractOne(name, list(known), score_cutoff=least)
    return found[0] if found else ""
