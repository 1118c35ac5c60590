"""Jobs on disk: one folder each, `job.json` in it replaced whole at every change."""

import asyncio
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from services.trainer.core.types import Job

_JOB_FILE = "job.json"
_ROWS_LEFT_FILE = "rows_left"

_log = structlog.get_logger("journal")


class Journal:
    """Writes in the order of the calls, on a thread of its own.

    Args:
        root: Folder of all jobs; made where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._adapter = TypeAdapter(Job)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def folder(self, job_id: str) -> Path:
        """Folder of a job, for its files."""
        return self._root / job_id

    def read_all(self) -> list[Job]:
        """Read every job; one that cannot be read is logged and left alone."""
        jobs = []
        for path in sorted(self._root.glob(f"*/{_JOB_FILE}")):
            try:
                jobs.append(self._adapter.validate_json(path.read_bytes()))
            except (ValidationError, OSError) as failure:
                _log.error("unreadable job", path=str(path), error=str(failure))
        return jobs

    async def write(self, job: Job) -> None:
        """Write a job; the end of one reaches the disk before this returns."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._write, job)

    async def clear(self, job_id: str, *, keep: frozenset[str]) -> None:
        """Remove the files of a job except its record and those named."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._clear, job_id, keep)

    async def note_rows_left(self, job_id: str, *, left: bool) -> None:
        """Note that storage still keeps the rows of an ended job, or that it does not any more."""
        note = self.folder(job_id) / _ROWS_LEFT_FILE
        change = note.touch if left else partial(note.unlink, missing_ok=True)
        await asyncio.get_running_loop().run_in_executor(self._executor, change)

    async def remove(self, job_id: str) -> None:
        """Forget a job, its record first."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._remove, self.folder(job_id))

    def remove_broken_off(self) -> None:
        """Remove what a killed service left of jobs without a record: half forgotten, or half asked for."""
        for folder in self._root.glob("*/"):
            if not (folder / _JOB_FILE).exists():
                self._remove(folder)

    def rows_left(self) -> list[str]:
        """Jobs whose rows storage still keeps."""
        return [path.parent.name for path in sorted(self._root.glob(f"*/{_ROWS_LEFT_FILE}"))]

    def close(self) -> None:
        """Wait for what is being written."""
        self._executor.shutdown(wait=True)

    def _write(self, job: Job) -> None:
        folder = self.folder(job.job_id)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{_JOB_FILE}.new"
        with temporary.open("wb") as file:
            file.write(self._adapter.dump_json(job, indent=1))
            if job.state.ended or job.sequence == 1:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(folder / _JOB_FILE)

    def _remove(self, folder: Path) -> None:
        (folder / _JOB_FILE).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def _clear(self, job_id: str, keep: frozenset[str]) -> None:
        for path in self.folder(job_id).iterdir():
            if path.name in (_JOB_FILE, _ROWS_LEFT_FILE) or path.name in keep:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
