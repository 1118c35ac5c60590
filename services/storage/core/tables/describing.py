"""What a version of a table says of itself."""

from datetime import datetime
from typing import Any

from services.storage.core.types import ColumnInfo, TableInfo


def described_as(folded: str, dataset: Any) -> TableInfo:  # Any: lance ships no types
    """Describe a version of a table.

    By its manifest, which was read when it was opened: nothing is asked of the store.

    Args:
        folded: The name of the table.
        dataset: The version.
    """
    committed: datetime = dataset.get_version()["timestamp"]
    return TableInfo(
        name=folded,
        row_count=dataset.count_rows(),
        columns=tuple(ColumnInfo(name=field.name, type=str(field.type)) for field in dataset.schema),
        version=dataset.version,
        update_time_s=committed.timestamp(),
    )
