"""What is copied, as messages call it."""

import re

from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error

JSON_TEXT = "the JSON text"
# DuckDB names its own source, which is a temporary file here.
_PLACE = re.compile(r' in file "[^"]*"')
_LONGEST = 300


def is_json_text(source: str) -> bool:
    """Tell a JSON array that stands in the statement from a path."""
    return source.lstrip().startswith("[")


def require_source(workspace: Workspace, source: str) -> bool:
    """Tell a folder, which is true, from a file.

    Raises:
        ThanosqlError: FILE_NOT_FOUND, PATH_OUTSIDE_WORKSPACE.
    """
    if workspace.exists(source):
        return False
    if workspace.is_folder(source):
        return True
    workspace.stat(source)  # Says what the nearest file is.
    raise error(Reason.CONFLICT, f"{source!r} was made while it was looked for; copy again")


def source_name(source: str) -> str:
    """Return what a source is called: its path, or what stands for JSON in the statement."""
    return JSON_TEXT if is_json_text(source) else source


def shown(name: str) -> str:
    """Write the name of a source: a path in quotes."""
    return name if name == JSON_TEXT else repr(name)


def unreadable(name: str, problem: Exception | str) -> ThanosqlError:
    """Build the error for a source that cannot be read."""
    why = _PLACE.sub("", str(problem).split("\n", 1)[0])[:_LONGEST]
    return error(Reason.INVALID_DATA, f"{shown(name)} cannot be read: {why}", path=name)
