"""Evaluations that were made, kept so that versions of a model can be compared."""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from services.trainer.core.blocking import Blocking
from services.trainer.core.evaluation import MeasuredScores
from services.trainer.core.types import TableVersion

MOST_KEPT = 1000
LONGEST_STATEMENT = 10_000
_PAGE = 100

_log = structlog.get_logger("evaluations")


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """One evaluation; see `EvaluationRecord` in trainer.proto."""

    request_id: str
    model: str
    version: int
    statement: str
    tables: tuple[TableVersion, ...]
    rows_mark: str
    measured: MeasuredScores
    elapsed_s: float
    time_s: float
    number: int = 0


class Evaluations:
    """A file with one line each, the oldest first; the newest `MOST_KEPT` are told, and kept at least.

    Args:
        path: The file; made with the first record.
        blocking: Runs what touches it.
    """

    def __init__(self, path: Path, blocking: Blocking) -> None:
        self._path = path
        self._blocking = blocking
        self._adapter = TypeAdapter(EvaluationRecord)
        self._records: deque[EvaluationRecord] = deque(maxlen=MOST_KEPT)
        self._lines = 0
        self._is_torn = False
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Read what is kept; lines that a crash cut short are left out."""
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        self._is_torn = bool(content) and not content.endswith(b"\n")
        for number, line in enumerate(content.splitlines(), start=1):
            self._lines = number
            try:
                self._records.append(self._adapter.validate_json(line))
            except ValidationError as failure:
                # Without the line, which holds a statement.
                errors = failure.errors(include_input=False, include_url=False)
                _log.error("unreadable evaluation", path=str(self._path), line=number, errors=errors[:3])
        self._shorten()

    async def record(self, record: EvaluationRecord) -> None:
        """Keep one; the same `request_id` keeps it once."""
        async with self._turn:
            if any(kept.request_id == record.request_id for kept in self._records):
                return
            number = self._records[-1].number + 1 if self._records else 1
            statement = record.statement[:LONGEST_STATEMENT]
            numbered = replace(record, number=number, statement=statement)
            await self._blocking.run(self._append, numbered)
            self._records.append(numbered)
            await self._blocking.run(self._shorten)

    def page(
        self, model: str, version: int, page_size: int, before: int
    ) -> tuple[Sequence[EvaluationRecord], int]:
        """Some of them, newest first, and the number to go on from, 0 at the end.

        Args:
            model: Whose; empty for all.
            version: Of the model; 0 for all.
            page_size: Records at most; 0 and what is too large mean 100.
            before: Only those with a lower number; 0 for all.
        """
        wanted = [
            record
            for record in reversed(self._records)
            if (not model or record.model == model)
            and version in (0, record.version)
            and (not before or record.number < before)
        ]
        size = page_size if 0 < page_size < _PAGE else _PAGE
        page = wanted[:size]
        return page, page[-1].number if len(wanted) > size else 0

    def _append(self, record: EvaluationRecord) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = (b"\n" if self._is_torn else b"") + self._adapter.dump_json(record) + b"\n"
        with self._path.open("ab", buffering=0) as file:
            size_bytes = file.seek(0, os.SEEK_END)
            try:
                _write_whole(file, line)
            except OSError:
                # What stays of a line would spoil the next one.
                os.ftruncate(file.fileno(), size_bytes)
                raise
        self._is_torn = False
        self._lines += 1

    def _shorten(self) -> None:
        """Drop what is told no more once there is much of it; a disk that fails costs nothing but room."""
        if self._lines < 2 * MOST_KEPT:
            return
        try:
            self._rewrite()
        except OSError as failure:
            _log.warning("evaluations_not_shortened", path=str(self._path), error=str(failure))

    def _rewrite(self) -> None:
        temporary = self._path.with_name(f".{self._path.name}.new")
        with temporary.open("wb") as file:
            file.writelines(self._adapter.dump_json(record) + b"\n" for record in self._records)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._is_torn = False
        self._lines = len(self._records)


def _write_whole(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())
