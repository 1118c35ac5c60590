"""How many bytes a value takes outside DuckDB, as SQL over it.

The answer of a query leaves DuckDB as Arrow, where a value that many rows share is copied for each of them.
"""

import re
from collections.abc import Sequence
from typing import Any

# What one value of these takes at most; a UUID leaves as a text.
_FIXED_BYTES = 40
_OFFSET_BYTES = 16
# DuckDB's planning takes twice as long with each lambda inside a lambda, and nothing stops it.
_MOST_LAMBDAS = 2
_STRUCTURES = ("struct", "tuple")
_FIXED = re.compile(r"u?hugeint|decimal|uuid|interval|\W?null\W?|time.*")
_WIDTHS = {
    **dict.fromkeys(("boolean", "tinyint", "utinyint"), 1),
    **dict.fromkeys(("smallint", "usmallint"), 2),
    **dict.fromkeys(("integer", "uinteger", "float", "date"), 4),
    **dict.fromkeys(("bigint", "ubigint", "double"), 8),
}


def width(kind: Any) -> int | None:  # Any: DuckDB ships no types
    """Return the bytes that every value of a type takes at most; None where they differ."""
    if kind.id in _WIDTHS:
        return _WIDTHS[kind.id]
    if _FIXED.fullmatch(kind.id):
        return _FIXED_BYTES
    if kind.id == "array":
        (_, item), (_, length) = kind.children
        each = width(item)
        return None if each is None else each * int(length)
    if kind.id in _STRUCTURES:
        parts = [width(part) for _, part in kind.children]
        return None if None in parts else sum(part or 0 for part in parts)
    return None


def weight(value: str, kind: Any, depth: int = 0) -> str:
    """Write the bytes of a value whose type has no `width`; NULL, or a part of them, where it is NULL."""
    match kind.id:
        case "varchar":
            return f"strlen({value})"
        case "blob":
            return f"octet_length({value})"
        case "list" | "array":
            return _of_items(value, kind.children[0][1], depth)
        case "map":
            (_, key), (_, item) = kind.children
            keys, items = f"map_keys({value})", f"map_values({value})"
            return total([_of_items(keys, key, depth), _of_items(items, item, depth)])
        case "struct" | "tuple":
            return total(
                [
                    weight(f"struct_extract_at({value}, {place})", part, depth)
                    if width(part) is None
                    else str(width(part))
                    for place, (_, part) in enumerate(kind.children, start=1)
                ]
            )
    # What is rare leaves as text, or as long as one.
    return f"strlen(CAST({value} AS VARCHAR))"


def total(parts: Sequence[str]) -> str:
    """Write a sum without what is NULL; DuckDB refuses one that is nested as deep as it is long."""
    if len(parts) == 1:
        return f"coalesce({parts[0]}, 0)"
    half = len(parts) // 2
    return f"({total(parts[:half])} + {total(parts[half:])})"


def _of_items(items: str, item: Any, depth: int) -> str:
    each = width(item)
    if each is not None:
        return f"len({items}) * {max(each, 1)}"
    if depth >= _MOST_LAMBDAS:
        return f"strlen(CAST({items} AS VARCHAR))"
    name = f"__item{depth}"
    inside = f"list_sum(list_transform({items}, lambda {name}: {weight(name, item, depth + 1)}))"
    return f"(coalesce(CAST({inside} AS BIGINT), 0) + len({items}) * {_OFFSET_BYTES})"
