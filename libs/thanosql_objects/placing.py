"""Files that get their name at once and whole, while deletions remove the folders that become empty."""

import contextlib
import os
from pathlib import Path

from thanosql_runtime.whole_files import sync

_TRIES = 20


def move_file(temporary: Path, goal: Path) -> None:
    """Give a file the name of a goal, in place of what is there."""
    for attempt in range(_TRIES):
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(goal)
            break
        except (FileNotFoundError, FileExistsError):
            # A delete removed the folder, which was empty in between: before the move, or while `mkdir`
            # looked at what it had found there.
            if attempt == _TRIES - 1:
                raise
    with contextlib.suppress(FileNotFoundError):  # deleted again already
        sync(goal.parent)


def create_file(temporary: Path, goal: Path) -> bool:
    """Give a file the name of a goal that is not there, at once and whole; False where it is."""
    for attempt in range(_TRIES):
        goal.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(temporary, goal)
        except FileExistsError:
            return False
        except FileNotFoundError:
            # A delete removed the folder, which was empty in between.
            if attempt == _TRIES - 1:
                raise
        else:
            break
    return True
