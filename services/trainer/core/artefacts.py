"""Files of models between the object store and a folder, every byte checked against its hash."""

import hashlib
import shutil
from pathlib import Path

from services.trainer.core.types import Artefact, Model
from thanosql_objects.model_files import ModelFiles
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, error


def fetch_model(store: ObjectStore, model: Model, folder: Path) -> None:
    """Copy a model's files into a folder, which is emptied first.

    Raises:
        ThanosqlError: CHECKSUM_MISMATCH or FILE_NOT_FOUND for a file that is not what was registered;
            INVALID_CHECKPOINT for a name that is no plain file name; what the store says.
    """
    shutil.rmtree(folder, ignore_errors=True)
    ModelFiles(model=model.name, version=model.version, files=model.artefacts).fetch(store, folder)


def put_model(store: ObjectStore, folder: Path, prefix: str) -> tuple[Artefact, ...]:
    """Copy the files of a folder into the store under a prefix that ends in a slash."""
    return tuple(_put(store, path, prefix) for path in sorted(folder.iterdir()) if path.is_file())


def model_prefix(name: str, job_id: str) -> str:
    """Where the files of the version that a job makes lie: known before the version's number is."""
    return f"models/{name}/{job_id}/"


def file_sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(store: ObjectStore, path: Path, prefix: str) -> Artefact:
    key, sha256 = prefix + path.name, file_sha256(path)
    info = store.upload_from(key, path)
    if info.size_bytes != path.stat().st_size or info.sha256 not in ("", sha256):
        message = f"{key!r} arrived damaged in the object store; run the statement again"
        raise error(Reason.CHECKSUM_MISMATCH, message, key=key)
    return Artefact(key=key, name=path.name, sha256=sha256, size_bytes=info.size_bytes)
