"""How long a page of a listing is."""

_USUAL = 100
_LONGEST = 1000


def page_length(asked: int) -> int:
    """Return how many entries a page has at most: what was asked for within bounds; 0 means the usual."""
    return max(1, min(asked or _USUAL, _LONGEST))
