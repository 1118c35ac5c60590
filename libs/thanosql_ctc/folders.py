"""Reading the json of a checkpoint folder, with errors that name the file."""

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from thanosql_runtime.errors import Reason, ThanosqlError, error

_LARGEST_JSON_BYTES = 16 * 1024 * 1024
# Never taken from a stranger's config.json: where code comes from, and how it runs.
_IGNORED_KEYS = frozenset(
    {"auto_map", "torch_dtype", "dtype", "quantization_config", "attn_implementation", "name_or_path"}
)


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


def taken_keys(config: Mapping[str, Any], also_ignored: Container[str] = ()) -> dict[str, Any]:
    """Take from a config.json what describes a model, and nothing that says how it is to be run."""
    return {
        key: value
        for key, value in config.items()
        if key not in _IGNORED_KEYS and key not in also_ignored and not key.startswith("_")
    }


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
