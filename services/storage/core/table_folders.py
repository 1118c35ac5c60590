"""Folders on a local disk, one for each table, with what was made of it to save time."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from services.storage.core.names import file_name, fold


def table_folder(root: Path, table: str) -> Path:
    """Where things of a table are."""
    return root / file_name(fold(table))


def forget_others(root: Path, tables: Callable[[], Iterable[str]]) -> set[str]:
    """Delete the folders of all tables but these.

    Returns:
        The names of the folders that these tables have, or would have.
    """
    # Names are asked for last: a table that is made meanwhile keeps its folder.
    folders = list(root.glob("*"))
    known = {table_folder(root, name).name for name in tables()}
    for folder in folders:
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)
    return known
