"""Files that get their name at once and whole, while deletions remove the folders that become empty."""

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from thanosql_runtime.whole_files import sync

_T = TypeVar("_T")
_TRIES = 20


def move_file(temporary: Path, goal: Path) -> None:
    """Give a file the name of a goal, in place of what is there."""
    _in_its_folder(goal, temporary.replace)
    with contextlib.suppress(FileNotFoundError):  # deleted again already
        sync(goal.parent)


def create_file(temporary: Path, goal: Path) -> bool:
    """Give a file the name of a goal that is not there, at once and whole; False where it is."""
    return _in_its_folder(goal, partial(_link, temporary))


def _link(temporary: Path, goal: Path) -> bool:
    try:
        os.link(temporary, goal)
    except FileExistsError:
        return False
    return True


def _in_its_folder(goal: Path, give_name: Callable[[Path], _T]) -> _T:
    tries = 0
    while True:
        tries += 1
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            return give_name(goal)
        except (FileNotFoundError, FileExistsError):
            # A delete removed the folder, which was empty in between: before the file got its name, or while
            # `mkdir` looked at what it had found there.
            if tries == _TRIES:
                raise
