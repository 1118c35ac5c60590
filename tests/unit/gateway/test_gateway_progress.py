"""Progress through rows: what is told, and how long the rest takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pyarrow as pa
import pytest

from services.gateway.core.events import Event, Progress
from services.gateway.core.plan_parts import Query
from services.gateway.core.plans import Plan, ShowJobs
from services.gateway.core.ports import BoundQuery
from services.gateway.core.progress import RowProgress, Totals
from services.gateway.core.queries import counting
from services.gateway.core.records import Rows
from services.gateway.core.run import Limits, Run
from tests.fakes.predictor_engine import settle
from thanosql_runtime.errors import Span

NOWHERE = Span(start=0, end=0, line=1, column=1)


class Telling:
    """A run whose clock tests move, and what it told."""

    def __init__(self, totals: Totals) -> None:
        self.now_s = 100.0
        self.told: list[Progress] = []
        run = Run(
            peers=None,  # type: ignore[arg-type]  # nobody is asked
            limits=Limits(progress_interval_s=1.0),
            emit=self._emit,
            open_nested=None,  # type: ignore[arg-type]  # nothing is opened
            text="",
            plan=Plan(span=NOWHERE, canonical_text="", explain=False, notices=[], statement=ShowJobs()),
            request_key="call/0",
            clock=lambda: self.now_s,
        )
        self.run = run
        self.progress = RowProgress(run, "transcribing", lambda: totals)

    async def _emit(self, event: Event) -> None:
        assert isinstance(event, Progress)
        self.told.append(event)

    async def go(self, rows: int, audio_s: float, seconds: float) -> Progress:
        self.now_s += seconds
        await self.progress.advance(rows, audio_s)
        return self.told[-1]


async def test_what_was_kept_does_not_tell_how_fast_the_rest_goes() -> None:
    telling = Telling(Totals(rows=10_000))
    await telling.go(8_000, 16_000.0, 2.0)
    for _ in range(40):
        told = await telling.go(1, 2.0, 1.0)
    assert (told.done, told.total) == (8_040, 10_000)
    assert told.seconds_left == 1960.0


async def test_long_recordings_that_are_left_count_by_their_length() -> None:
    telling = Telling(Totals(rows=20, audio_s=1_010.0))
    told = await telling.go(10, 10.0, 5.0)
    assert (told.audio_s, told.audio_total_s, told.seconds_left) == (10.0, 1_010.0, 500.0)


async def test_it_tells_at_most_once_an_interval_and_at_the_end() -> None:
    telling = Telling(Totals(rows=4, audio_s=3.0))
    await telling.progress.begin()
    for _ in range(4):
        await telling.go(1, 1.0, 0.4)
    await telling.progress.end()
    assert [told.done for told in telling.told] == [0, 3, 4]
    assert telling.told[-1].seconds_left == 0.0
    assert (telling.told[-1].audio_s, telling.told[-1].audio_total_s) == (4.0, 4.0)


async def test_nothing_is_said_of_what_is_unknown() -> None:
    telling = Telling(Totals())
    told = await telling.go(5, 5.0, 1.0)
    assert (told.total, told.audio_total_s, told.seconds_left) == (None, None, None)


class CountingTables:
    """Answers every query with one row, and keeps what was asked."""

    def __init__(self, rows: int, audio_s: float | None) -> None:
        self.asked: list[str] = []
        self._batch = pa.record_batch(
            [pa.array([rows]), pa.array([audio_s], pa.float64())], ["rows", "audio"]
        )

    @asynccontextmanager
    async def query(self, query: BoundQuery) -> AsyncIterator[Rows]:
        self.asked.append(query.sql)
        yield Rows(schema=self._batch.schema, batches=self._batches())

    async def _batches(self) -> AsyncIterator[pa.RecordBatch]:
        yield self._batch


@pytest.mark.parametrize(
    ("schema", "summed"),
    [
        (pa.schema([("audio_path", pa.string()), ("duration", pa.float64())]), True),
        (pa.schema([("audio_path", pa.string()), ("duration", pa.string())]), False),
        (pa.schema([("audio_path", pa.string())]), False),
    ],
)
async def test_lengths_are_summed_up_where_the_query_has_them(schema: pa.Schema, summed: bool) -> None:
    tables = CountingTables(7, 12.5 if summed else None)
    run = Telling(Totals()).run
    object.__setattr__(run, "peers", SimpleNamespace(tables=tables))
    query = Query(sql="SELECT * FROM t", tables=[], nested=[], span=NOWHERE)
    async with counting(run, query, schema) as totals:
        assert totals() == Totals()
        while not totals().rows:
            await settle()
        assert totals() == Totals(rows=7, audio_s=12.5 if summed else None)
    assert ("sum(duration)" in tables.asked[0]) is summed
