"""Reading the json of a checkpoint folder, with errors that name the file."""

import json
from pathlib import Path
from typing import Any

from thanosql_runtime.errors import Reason, ThanosqlError, error

_LARGEST_JSON_BYTES = 16 * 1024 * 1024


def invalid_checkpoint(folder: Path, problem: str) -> ThanosqlError:
    """Build the one error that this library raises about a folder."""
    return error(
        Reason.INVALID_CHECKPOINT,
        f"the checkpoint '{folder.name}' cannot be used: {problem}",
        folder=folder.name,
        problem=problem,
    )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read one json object; Any because json is whatever its writer wrote."""
    content = _content(folder, name)
    if not isinstance(content, dict):
        raise invalid_checkpoint(folder, f"{name} must hold a JSON object")
    return content


def read_json_list(folder: Path, name: str) -> list[Any]:
    """Read one json array; Any as above."""
    content = _content(folder, name)
    if not isinstance(content, list):
        raise invalid_checkpoint(folder, f"{name} must hold a JSON array")
    return content


def _content(folder: Path, name: str) -> Any:
    path = folder / name
    if not path.is_file():
        raise invalid_checkpoint(folder, f"it lacks {name}")
    if path.stat().st_size > _LARGEST_JSON_BYTES:
        raise invalid_checkpoint(folder, f"{name} is larger than {_LARGEST_JSON_BYTES} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    # Besides what is no JSON: no UTF-8, numbers of thousands of digits, thousands of brackets in each other.
    except (ValueError, RecursionError) as failure:
        raise invalid_checkpoint(folder, f"{name} is not valid JSON ({failure})") from failure
