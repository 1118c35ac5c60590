"""Rows that name recordings: these are taken into keeping, and the rows name them where they are kept."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from services.storage.core.copying.audio_columns import AUDIO_PATH, AudioReading
from services.storage.core.copying.probing import looked
from services.storage.core.copying.report import CopyReport
from services.storage.core.names import column_not_found, find_column
from services.storage.core.spooling import Spool
from services.storage.core.tables.rows import Rows
from services.storage.core.types import Recording, RowPlace, RowProblem
from thanosql_runtime.errors import Reason, ThanosqlError, error


@dataclass(frozen=True, kw_only=True)
class AudioRows:
    """Rows of a source, and which of their columns names recordings.

    Attributes:
        source: What the rows come from.
        column: The column.
        reading: How the recordings are read.
    """

    source: str
    column: str
    reading: AudioReading

    @contextlib.contextmanager
    def read(
        self, rows: Rows, report: CopyReport, is_whole: Callable[[], bool] = lambda: True
    ) -> Iterator[Rows]:
        """Give the rows whose recording can be read, with what its header says; others go to quarantine.

        Columns of the source that have the name of such a column stay as they are.

        Args:
            rows: The rows of the source.
            report: Takes those that are left out.
            is_whole: Whether these were all rows of the source, once they are read.

        Raises:
            ThanosqlError: COLUMN_NOT_FOUND, INVALID_DATA for a column that is no text, and where none of all
                recordings can be read.
        """
        column = self._column(rows.schema)
        with Spool(self.reading.schema(rows.schema)) as spool:
            first, places = 0, iter(rows.places or ())
            with rows.guarded():
                for batch in rows.reader():
                    spool.write(self._stored(batch, column, first, places, spool, report))
                    first += batch.num_rows
            spool.finish()
            if is_whole():
                report.require_rows(spool.row_count, self.source)
            yield Rows(spool.schema, spool.batches())

    def notices(self, schema: pa.Schema) -> tuple[str, ...]:
        """Name the columns of the source that stay although COPY would have filled them."""
        own = [name for name in self._added() if find_column(schema.names, name) is not None]
        if not own:
            return ()
        listed = ", ".join(map(repr, own))
        return (f"{listed}: as in the source, because it has columns of these names",)

    def _column(self, schema: pa.Schema) -> str:
        column = find_column(schema.names, self.column)
        if column is None:
            raise column_not_found(self.column, schema.names)
        kind = schema.field(column).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            message = f"column {column!r} holds {kind}, not the paths of recordings; name theirs as audio_col"
            raise error(Reason.INVALID_DATA, message, column=column)
        if find_column(self._added(), column) is not None:
            message = f"column {column!r} cannot name the recordings, because COPY fills it; rename it"
            raise error(Reason.INVALID_DATA, message, column=column)
        return column

    def _added(self) -> list[str]:
        return list(self.reading.schema(pa.schema([])).names)

    def _stored(
        self,
        batch: pa.RecordBatch,
        column: str,
        first: int,
        places: Iterator[RowPlace],
        spool: Spool,
        report: CopyReport,
    ) -> pa.RecordBatch:
        paths = batch.column(column).to_pylist()
        kept: list[int] = []
        recordings: list[Recording] = []
        found_at = looked(self._look, enumerate(paths), lambda item: item[1], self.reading.stop)
        for (index, path), found in found_at:
            place = next(places, RowPlace(first + index, None))
            if isinstance(found, Recording):
                kept.append(index)
                recordings.append(found)
            else:
                record = batch.slice(index, 1).to_pylist()[0]
                report.quarantine(self._broken(place, path, found, record))
            report.advance(rows=spool.row_count + len(kept), done=first + index + 1, total=0, unit="rows")
        return self._filled(batch.take(pa.array(kept, pa.int64())), column, recordings, spool.schema)

    def _look(self, path: str | None) -> Recording:
        if not path:
            raise error(Reason.AUDIO_NOT_FOUND, f"column {self.column!r} names no recording")
        try:
            return self.reading.look(path)
        except ThanosqlError as problem:
            if problem.reason is Reason.FILE_NOT_FOUND:
                raise error(Reason.AUDIO_NOT_FOUND, problem.message, path=path) from problem
            raise

    def _broken(
        self, place: RowPlace, path: str | None, problem: ThanosqlError, record: Mapping[str, object]
    ) -> RowProblem:
        unnamed = f"row {place.row + 1}" if place.line is None else f"line {place.line}"
        return RowProblem(
            row=place.row, line=place.line, subject=path or unnamed, source=self.source,
            reason=problem.reason, message=problem.message,
            raw=json.dumps(record, ensure_ascii=False, default=str),
        )  # fmt: skip

    def _filled(
        self, batch: pa.RecordBatch, column: str, recordings: list[Recording], schema: pa.Schema
    ) -> pa.RecordBatch:
        values = [self.reading.values(recording) for recording in recordings]

        def filled(name: str, kind: pa.DataType) -> pa.Array:
            if name == column:
                return pa.array([value[AUDIO_PATH] for value in values], kind)
            if name in batch.schema.names:
                return batch.column(name)
            return pa.array([value[name] for value in values], kind)

        return pa.record_batch([filled(field.name, field.type) for field in schema], schema=schema)
