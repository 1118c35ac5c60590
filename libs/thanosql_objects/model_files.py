"""The files of a version of a model: fetched from the store, every byte compared with what was registered."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from thanosql_objects.ports import CHUNK_BYTES
from thanosql_runtime.errors import Reason, ThanosqlError, error

_MEND = "restore it from a backup, or build or upload the model again"


class RegisteredFile(Protocol):
    """A file as the catalog knows it."""

    @property
    def key(self) -> str:
        """Where it is in the store."""
        ...

    @property
    def name(self) -> str:
        """Its name in the folder of the model."""
        ...

    @property
    def sha256(self) -> str:
        """Its digest in hexadecimal."""
        ...

    @property
    def size_bytes(self) -> int:
        """Its length."""
        ...


class Downloads(Protocol):
    """The store, as far as files are fetched from it."""

    def download_to(self, key: str, path: Path) -> object:
        """Copy an object into a local file."""
        ...


class Readings(Protocol):
    """The store, as far as files are read in it."""

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading; the caller closes it."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """The files of one version.

    Attributes:
        model: Its name.
        version: Its version; 0 where it has none yet.
        files: As they were registered.
    """

    model: str
    version: int
    files: Sequence[RegisteredFile]

    def require_names(self) -> None:
        """Raise INVALID_CHECKPOINT unless every file can be stored in a folder under its name."""
        names = [file.name for file in self.files]
        wrong = [name for name in names if not name or Path(name).name != name or name.startswith(".")]
        if wrong or not names or len(set(names)) != len(names):
            listed = ", ".join(map(repr, wrong or names)) or "none"
            text = f"{self._model} has files that cannot be stored: {listed}"
            raise error(Reason.INVALID_CHECKPOINT, text, model=self.model)

    def fetch(self, store: Downloads, folder: Path) -> None:
        """Copy the files into an empty folder, which has them and no others then.

        Raises:
            ThanosqlError: INVALID_CHECKPOINT for a name; FILE_NOT_FOUND or CHECKSUM_MISMATCH for a file that
                the store lacks, or has with other bytes; what the store raises.
        """
        self.require_names()
        folder.mkdir(parents=True, exist_ok=True)
        for file in self.files:
            try:
                store.download_to(file.key, folder / file.name)
            except ThanosqlError as failure:
                if failure.reason is Reason.FILE_NOT_FOUND:
                    raise self._missing(file, f"in the object store, at {file.key!r}") from failure
                raise
            with (folder / file.name).open("rb") as content:
                self._compare(content, file, file.key)

    def require_intact(self, folder: Path) -> None:
        """Raise unless the folder has these files, byte by byte, and no others.

        Raises:
            ThanosqlError: FILE_NOT_FOUND, CHECKSUM_MISMATCH.
        """
        for file in self.files:
            try:
                with (folder / file.name).open("rb") as content:
                    self._compare(content, file, str(folder / file.name))
            except OSError as failure:
                raise self._missing(file, f"in {str(folder)!r}") from failure
        others = sorted({path.name for path in folder.iterdir()} - {file.name for file in self.files})
        if others:
            message = f"{str(folder)!r} has {others[0]!r}, which is no file of {self._model}; remove it"
            raise error(Reason.CHECKSUM_MISMATCH, message, model=self.model, file=others[0])

    def require_stored(self, store: Readings) -> None:
        """Raise unless the store has these files, byte by byte.

        Raises:
            ThanosqlError: FILE_NOT_FOUND, CHECKSUM_MISMATCH; what the store raises.
        """
        for file in self.files:
            with store.open(file.key) as content:
                self._compare(content, file, file.key)

    def require_present(self, store: Readings) -> None:
        """Raise FILE_NOT_FOUND unless the store still has these files; they are not read."""
        for file in self.files:
            if not store.exists(file.key):
                raise self._missing(file, f"in the object store, at {file.key!r}")

    def _compare(self, content: BinaryIO, file: RegisteredFile, place: str) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
        sha256 = digest.hexdigest()
        if size_bytes != file.size_bytes:
            raise self._damaged(
                file, place, f"it has {size_bytes} bytes, and {file.size_bytes} were registered"
            )
        if sha256 != file.sha256:
            raise self._damaged(file, place, f"its SHA-256 is {sha256}, and {file.sha256} was registered")

    def _damaged(self, file: RegisteredFile, place: str, what: str) -> ThanosqlError:
        message = f"file {file.name!r} of {self._model} is damaged at {place!r}: {what}; {_MEND}"
        return error(Reason.CHECKSUM_MISMATCH, message, model=self.model, file=file.name, path=place)

    def _missing(self, file: RegisteredFile, where: str) -> ThanosqlError:
        message = f"file {file.name!r} of {self._model} is missing {where}; {_MEND}"
        return error(Reason.FILE_NOT_FOUND, message, model=self.model, file=file.name, path=file.key)

    @property
    def _model(self) -> str:
        return f"model {self.model!r}" + (f" version {self.version}" if self.version else "")
