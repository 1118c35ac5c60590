"""How long a page of a listing is, and where it begins."""

_USUAL = 100
_LONGEST = 1000


def page_length(asked: int) -> int:
    """Return how many entries a page has at most: what was asked for within bounds; 0 means the usual."""
    return max(1, min(asked or _USUAL, _LONGEST))


def comes_after(number: int, page_token: str) -> bool:
    """Tell whether an entry of falling numbers comes after the token, which is the last number shown."""
    return not page_token.isdecimal() or number < int(page_token)
