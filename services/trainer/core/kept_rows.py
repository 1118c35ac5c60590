"""The rows that were checked, kept in the job's folder: a run that goes on learns from the very same."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from services.trainer.core.dataset import Dataset
from services.trainer.core.messages import Message, Notice
from thanosql_runtime.whole_files import write_whole


class KeptRows:
    """One file.

    Args:
        path: Of the file.
        tell: Receives messages for the parent.
    """

    def __init__(self, path: Path, tell: Callable[[Message], None]) -> None:
        self._path = path
        self._tell = tell

    def read(self) -> Dataset | None:
        """The rows; None where they were not kept, or cannot be read, and must be checked again."""
        try:
            return TypeAdapter(Dataset).validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as failure:
            self._tell(
                Notice(message=f"the rows are checked again: {self._path.name} is damaged ({failure})")
            )
            return None

    def write(self, dataset: Dataset) -> Dataset:
        """Keep the rows; where that is not possible they are checked again after a fault."""
        try:
            write_whole(self._path, TypeAdapter(Dataset).dump_json(dataset))
        except OSError as failure:
            message = (
                f"the checked rows could not be kept ({failure}); make room on the disk of the trainer's jobs"
            )
            self._tell(Notice(message=message))
        return dataset


def digest_of(dataset: Dataset) -> str:
    """Tells whether two runs learn from the same rows."""
    return hashlib.sha256(TypeAdapter(Dataset).dump_json(dataset)).hexdigest()
