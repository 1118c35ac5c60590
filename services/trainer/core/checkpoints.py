"""Checkpoints on disk: each a folder of tensors, state and hashes, there whole or not at all."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from services.trainer.core.artefacts import file_sha256
from thanosql_runtime.whole_files import sync, write_whole

TENSORS_FILE = "tensors.safetensors"
STATE_FILE = "state.json"
MANIFEST_FILE = "manifest.json"
_KEPT = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredCheckpoint:
    """What was written: tensors by name, and everything else as JSON."""

    tensors: Mapping[str, Tensor]
    state: bytes


class DamagedCheckpointError(Exception):
    """A checkpoint is not what was written."""


class CheckpointFolder:
    """The newest checkpoints of one training; only one process writes them.

    Args:
        root: Folder of the checkpoints; made where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, tensors: Mapping[str, Tensor], state: bytes) -> None:
        """Add a checkpoint, and remove all but the newest two.

        Raises:
            OSError: It could not be written, such as on a full disk; the ones before are as they were.
        """
        number = max(self._numbers(), default=0) + 1
        fresh = self._root / f".{number:06d}.new"
        try:
            _write_files(fresh, tensors, state)
            fresh.rename(self._folder(number))
        except SafetensorError as failure:
            raise OSError(str(failure)) from failure
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        sync(self._root)
        for old in sorted(self._numbers())[:-_KEPT]:
            shutil.rmtree(self._folder(old), ignore_errors=True)

    def read(self) -> tuple[StoredCheckpoint | None, list[str]]:
        """Read the newest that is whole; also answers what is wrong with those that are not.

        A damaged one is removed, so that it does not count among those kept.
        """
        problems: list[str] = []
        for number in sorted(self._numbers(), reverse=True):
            try:
                return _read_files(self._folder(number)), problems
            except DamagedCheckpointError as failure:
                problems.append(f"checkpoint {number} is damaged: {failure}")
                shutil.rmtree(self._folder(number), ignore_errors=True)
        return None, problems

    def _folder(self, number: int) -> Path:
        return self._root / f"{number:06d}"

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._root.glob("[0-9]*") if path.name.isdigit()]


def _write_files(folder: Path, tensors: Mapping[str, Tensor], state: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file(dict(tensors), folder / TENSORS_FILE)
    sync(folder / TENSORS_FILE)
    write_whole(folder / STATE_FILE, state)
    hashes = {name: file_sha256(folder / name) for name in (TENSORS_FILE, STATE_FILE)}
    write_whole(folder / MANIFEST_FILE, json.dumps(hashes, indent=1).encode())


def _read_files(folder: Path) -> StoredCheckpoint:
    try:
        hashes = json.loads((folder / MANIFEST_FILE).read_bytes())
        for name in (TENSORS_FILE, STATE_FILE):
            if file_sha256(folder / name) != hashes[name]:
                raise DamagedCheckpointError(f"{name} differs from its hash")
        return StoredCheckpoint(
            tensors=load_file(folder / TENSORS_FILE), state=(folder / STATE_FILE).read_bytes()
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as failure:
        raise DamagedCheckpointError(f"it cannot be read ({failure})") from failure
