"""Which names of `WITH` a table in a query can mean.

A name is known to the query that it stands before and to the parts after it, and nowhere else. Told apart
loosely, `(WITH pg_settings AS (...) ...) a, pg_settings b` would read DuckDB's own settings as `b`.
"""

from sqlglot import exp

from services.storage.core.names import fold


def means_with(table: exp.Table) -> bool:
    """Tell whether the table's name is one of a `WITH` that it can see."""
    name = fold(table.name)
    below: exp.Expr = table
    while below.parent is not None:
        above = below.parent
        if isinstance(above, exp.With):
            if name in _seen_from(above, below):
                return True
            below = above.parent or above  # The query after this WITH was decided here.
            continue
        known = above.args.get("with_") or above.args.get("with")
        if known is not None and name in {fold(cte.alias) for cte in known.expressions}:
            return True
        below = above
    return False


def _seen_from(names: exp.With, inside: exp.Expr) -> set[str]:
    """Return the names that one of these queries sees: those before it, and itself in a recursion."""
    seen: set[str] = set()
    for cte in names.expressions:
        if cte is inside:
            return seen | ({fold(cte.alias)} if names.args.get("recursive") else set())
        seen.add(fold(cte.alias))
    return seen
