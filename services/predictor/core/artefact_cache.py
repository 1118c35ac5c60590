"""Model files on the local disk: fetched once, verified by digest, the oldest given up when they grow."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Set
from pathlib import Path

import structlog

from services.predictor.core.ports import ArtefactStore
from services.predictor.core.types import Artefact, ModelRecord
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("artefact_cache")
_BLOCK_BYTES = 1 << 20


class ArtefactCache:
    """Folders named by the fingerprint of their files. Blocking; safe in several threads and processes.

    Args:
        folder: Where the folders are; made on first use.
        store: Where the files come from.
        limit_bytes: Size above which the least recently used are removed.
    """

    def __init__(self, folder: Path, store: ArtefactStore, limit_bytes: int) -> None:
        self._folder = folder
        self._store = store
        self._limit_bytes = limit_bytes

    def fetch(self, record: ModelRecord) -> Path:
        """Give the folder with the files of a version, every digest verified.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH when the store gives other bytes than were registered;
                INVALID_CHECKPOINT for names that are no file names; what the store raises.
        """
        _check_names(record)
        folder = self._folder / record.fingerprint
        if folder.is_dir() and not self._is_intact(folder, record):
            shutil.rmtree(folder, ignore_errors=True)
        if not folder.is_dir():
            self._download(folder, record)
        os.utime(folder)
        self._give_up_oldest(keep={folder.name})
        return folder

    def _is_intact(self, folder: Path, record: ModelRecord) -> bool:
        try:
            for artefact in record.artefacts:
                _verify(folder / artefact.name, artefact, record)
        except (ThanosqlError, OSError) as failure:
            _log.warning(
                "cached model is damaged, fetching it again", model=record.name, problem=str(failure)
            )
            return False
        return True

    def _download(self, folder: Path, record: ModelRecord) -> None:
        fresh = self._folder / f".{record.fingerprint}.{uuid.uuid4().hex}"
        fresh.mkdir(parents=True)
        try:
            for artefact in record.artefacts:
                self._store.download_to(artefact.key, fresh / artefact.name)
                _verify(fresh / artefact.name, artefact, record)
            if not folder.is_dir():  # another thread may have been faster: its files are the same
                fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _give_up_oldest(self, keep: Set[str]) -> None:
        folders = [path for path in self._folder.glob("[!.]*") if path.is_dir()]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        total_bytes = 0
        for folder in folders:
            total_bytes += sum(file.stat().st_size for file in folder.iterdir())
            if total_bytes > self._limit_bytes and folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)


def _check_names(record: ModelRecord) -> None:
    names = [artefact.name for artefact in record.artefacts]
    wrong = [name for name in names if not name or Path(name).name != name or name.startswith(".")]
    if wrong or not names or len(set(names)) != len(names):
        listed = ", ".join(map(repr, wrong or names)) or "none"
        text = f"model '{record.name}' version {record.version} has files that cannot be stored: {listed}"
        raise error(Reason.INVALID_CHECKPOINT, text, model=record.name)


def _verify(path: Path, artefact: Artefact, record: ModelRecord) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    if digest.hexdigest() != artefact.sha256:
        raise error(
            Reason.CHECKSUM_MISMATCH,
            f"file '{artefact.name}' of model '{record.name}' version {record.version} is not the one"
            " that was registered: its SHA-256 differs; build or upload the model again",
            model=record.name,
            file=artefact.name,
        )
