"""The files of a checkpoint in the workspace: which of a folder count, and copies of them to check."""

import errno
from itertools import islice
from pathlib import Path, PurePosixPath

from thanosql_ctc.folders import invalid_checkpoint
from thanosql_objects.keys import clean_prefix
from thanosql_objects.ports import ObjectInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error

PICKLES = frozenset({".bin", ".pth", ".pt"})
"""How files end that torch pickled; `training_args.bin` and the like are told apart by their names."""

_TEXTS = frozenset(
    {
        "added_tokens.json",
        "config.json",
        "model.safetensors.index.json",
        "preprocessor_config.json",
        "processor_config.json",
        "special_tokens_map.json",
        "tokenizer_config.json",
        "vocab.json",
    }
)
_NO_WEIGHTS = frozenset(
    {"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth"}
)
_MOST_FILES = 10_000
_PART_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def checkpoint_files(workspace: Workspace, path: str, limit_bytes: int) -> tuple[ObjectInfo, ...]:
    """Find the files of the checkpoint in a folder; what is below it, and what nothing reads, is left out.

    Args:
        workspace: Where the folder is.
        path: The folder.
        limit_bytes: The files may take so much together.

    Raises:
        ThanosqlError: FILE_NOT_FOUND where there is no such folder, INVALID_CHECKPOINT where it is none of a
            checkpoint or too large, PATH_OUTSIDE_WORKSPACE.
    """
    cleaned = clean_prefix(path).rstrip("/")
    folder = f"{cleaned}/" if cleaned else ""
    found = [info for info in islice(workspace.walk(folder), _MOST_FILES) if info.key == folder + _name(info)]
    if not found:
        raise _no_folder(workspace, path)
    names = {_name(info) for info in found}
    if "config.json" not in names:
        listed = ", ".join(sorted(names)[:5])
        raise invalid_checkpoint(Path(path), f"it lacks config.json; it has {listed}")
    has_safetensors = any(name.endswith(".safetensors") for name in names)
    kept = tuple(info for info in found if _counts(_name(info), has_safetensors))
    size_bytes = sum(info.size_bytes for info in kept)
    if size_bytes > limit_bytes:
        problem = f"it has {size_bytes} bytes, and THANOSQL_TRAINER__MAX_MODEL_BYTES is {limit_bytes}"
        raise invalid_checkpoint(Path(path), problem)
    return kept


def copy_files(workspace: Workspace, files: tuple[ObjectInfo, ...], folder: Path) -> None:
    """Copy files into a new folder: what is checked and what is stored are then the same bytes.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT where a file has grown since it was counted; OVERLOADED where the
            disk has no room for them.
    """
    folder.mkdir()
    try:
        for info in files:
            _copy(workspace, info, folder)
    except OSError as failure:
        if failure.errno not in _FULL:
            raise
        message = "the server has no room for a copy of the checkpoint; try again later"
        raise error(Reason.OVERLOADED, message) from failure


def _copy(workspace: Workspace, info: ObjectInfo, folder: Path) -> None:
    left = info.size_bytes
    with workspace.open(info.key) as source, (folder / _name(info)).open("wb") as goal:
        while part := source.read(_PART_BYTES):
            left -= len(part)
            if left < 0:
                problem = f"{_name(info)} grows while it is read; try again when it is whole"
                raise invalid_checkpoint(folder, problem)
            goal.write(part)


def texts_of(files: tuple[ObjectInfo, ...]) -> tuple[ObjectInfo, ...]:
    """Those that say what the model is, without its weights."""
    return tuple(info for info in files if _name(info) in _TEXTS)


def _counts(name: str, has_safetensors: bool) -> bool:
    if name in _TEXTS or name.endswith(".safetensors"):
        return True
    return not has_safetensors and PurePosixPath(name).suffix in PICKLES and name not in _NO_WEIGHTS


def _name(info: ObjectInfo) -> str:
    return PurePosixPath(info.key).name


def _no_folder(workspace: Workspace, path: str) -> ThanosqlError:
    if path.rstrip("/") and workspace.exists(path.rstrip("/")):
        problem = "it is a file; name the folder with config.json and the weights"
        return invalid_checkpoint(Path(path), problem)
    message = (
        f"there is no folder {path!r} with files in the workspace; paths are relative to the workspace of the"
        " server, and files that were sent lie under uploads/"
    )
    return error(Reason.FILE_NOT_FOUND, message, path=path)
