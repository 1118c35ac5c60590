"""How many rows of a table are read at once: fewer where they are large, so that all steps take as much."""

from typing import Any

MOST_ROWS = 8192
_LEAST_ROWS = 16
# Of files, which are compressed: texts take two or three times that in memory.
_STEP_BYTES = 8 << 20


def rows_at_once(dataset: Any) -> int:  # Any: lance ships no types
    """Return how many rows of a table may be read at once, as the lengths of its files say."""
    rows = MOST_ROWS
    for fragment in dataset.get_fragments():
        metadata = fragment.metadata
        size_bytes = sum(file.file_size_bytes or 0 for file in metadata.files)
        if size_bytes > _STEP_BYTES:
            rows = min(rows, rows_in_step(metadata.physical_rows, size_bytes))
    return rows


def rows_in_step(rows: int, size_bytes: int) -> int:
    """Return how many rows a step takes of a file, which has so many in so many bytes."""
    steps = max(1, size_bytes / _STEP_BYTES)
    return max(int(rows / steps), _LEAST_ROWS)
