"""Checks of queries whose text comes again and again."""

from collections.abc import Collection
from functools import lru_cache

from services.storage.core.sandbox.sandbox import CheckedQuery, check

_MOST_REMEMBERED = 64
# The tree of a text takes a thousand times its length.
_LONGEST = 2000


class Checks:
    """Checks queries, and remembers those that passed: the same text over the same names says the same.

    Nobody changes what a query says, so that many may share it. Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._remembering = lru_cache(_MOST_REMEMBERED)(check)

    def check(self, sql: str, allowed: Collection[str]) -> CheckedQuery:
        """See `check` of the sandbox."""
        return check(sql, allowed) if len(sql) > _LONGEST else self._remembering(sql, tuple(allowed))
