"""What every search answers in the same way."""

from collections.abc import Sequence

from services.storage.core.names import find_column

NO_ROWS = "SELECT NULL AS nothing LIMIT 0"
"""The answer of a search that is only explained."""


def replaced(names: Sequence[str], result_col: str) -> list[str]:
    """Remark that the scores take the place of a column of the query, if they do."""
    old = find_column(names, result_col)
    if old is None:
        return []
    hint = "to keep both, rename it in the query or set result_col"
    return [f"the scores take the place of the query's column '{old}'; {hint}"]
