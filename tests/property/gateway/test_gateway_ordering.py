"""Whatever the order of the answers, every row is answered once, in its own order, within the window."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.core.events import Event
from services.gateway.core.plan_parts import Name
from services.gateway.core.plans import Plan, ShowJobs
from services.gateway.core.ports import Peers
from services.gateway.core.progress import RowProgress, Totals
from services.gateway.core.records import Rows
from services.gateway.core.run import Limits, Run
from services.gateway.core.transcribing import Task, open_transcription
from tests.fakes.gateway_predictor_port import ShufflingPredictor
from thanosql_runtime.errors import Reason, Span, ThanosqlError, error

SCHEMA = pa.schema([("audio_path", pa.string())])
NAME = Name(text="m", span=Span(start=0, end=1, line=1, column=1))
PATHS = st.lists(st.sampled_from(["a", "b", "bad", None, ""]), max_size=40)
BATCHES = st.lists(PATHS, max_size=6)


def a_run(predictor: ShufflingPredictor, events: list[Event]) -> Run:
    async def emit(event: Event) -> None:
        events.append(event)

    # Any: only the predictor is used here.
    peers = Peers(
        **dict.fromkeys(("parser", "tables", "catalog", "files", "trainer", "transcripts"), cast(Any, None)),
        predictor=predictor,
    )
    plan = Plan(span=NAME.span, canonical_text="", explain=False, notices=(), statement=ShowJobs())
    return Run(
        peers=peers,
        limits=Limits(window_batches=3),
        emit=emit,
        open_nested=cast(Any, None),
        text="m",
        plan=plan,
        request_key="r",
    )


async def batches_of(lists: Sequence[Sequence[str | None]], fails: bool) -> AsyncIterator[pa.RecordBatch]:
    for paths in lists:
        await asyncio.sleep(0)
        yield pa.record_batch([pa.array(paths, pa.string())], schema=SCHEMA)
    if fails:
        raise error(Reason.STORE_UNAVAILABLE, "the disk is gone")


async def transcribe(
    run: Run,
    lists: Sequence[Sequence[str | None]],
    batch_size: int,
    fails: bool = False,
    stop_after: int = -1,
) -> list[tuple[str | None, str, str]]:
    task = Task(model=NAME, batch_size=batch_size, input_index=0)
    rows = Rows(schema=SCHEMA, batches=batches_of(lists, fails))
    answered: list[tuple[str | None, str, str]] = []
    async with open_transcription(run, task, rows, RowProgress(run, "transcribing", Totals)) as made:
        async for chunk in made.chunks:
            assert [answer.key for answer in chunk.answers] == list(
                range(chunk.first_key, chunk.first_key + chunk.batch.num_rows)
            )
            paths = chunk.batch.column(0).to_pylist()
            answered.extend((p, a.text, a.reason) for p, a in zip(paths, chunk.answers, strict=True))
            if len(answered) >= stop_after >= 0:
                break
    return answered


def expected(path: str | None) -> tuple[str | None, str, str]:
    if not path:
        return path, "", "AUDIO_NOT_FOUND"
    return (path, "", "AUDIO_UNREADABLE") if path == "bad" else (path, f"heard {path}", "")


@given(lists=BATCHES, batch_size=st.integers(1, 7), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_every_row_is_answered_once_and_in_order(
    lists: list[list[str | None]], batch_size: int, seed: int
) -> None:
    predictor, events = ShufflingPredictor(seed), list[Event]()
    run = a_run(predictor, events)
    answered = asyncio.run(transcribe(run, lists, batch_size))
    assert answered == [expected(path) for paths in lists for path in paths]
    assert run.outcome.row_errors == sum(bool(reason) for _path, _text, reason in answered)
    assert predictor.most_unanswered <= 3 * batch_size
    assert predictor.streams == 0


@given(
    lists=BATCHES,
    batch_size=st.integers(1, 7),
    seed=st.integers(0, 2**32),
    after=st.integers(0, 60),
    just_ends=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_predictor_that_breaks_fails_the_statement_and_nothing_hangs(
    lists: list[list[str | None]], batch_size: int, seed: int, after: int, just_ends: bool
) -> None:
    predictor = ShufflingPredictor(seed, break_after=after, just_ends=just_ends)
    heard = sum(1 for paths in lists for path in paths if path)
    call = transcribe(a_run(predictor, []), lists, batch_size)
    if heard > after:
        with pytest.raises(ThanosqlError, match=r"the predictor is gone|unanswered") as raised:
            asyncio.run(call)
        assert raised.value.reason is Reason.PEER_UNAVAILABLE
    else:
        assert len(asyncio.run(call)) == sum(map(len, lists))
    assert predictor.streams == 0


@given(lists=BATCHES, batch_size=st.integers(1, 7), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_query_that_breaks_fails_the_statement_with_its_own_reason(
    lists: list[list[str | None]], batch_size: int, seed: int
) -> None:
    predictor = ShufflingPredictor(seed)
    with pytest.raises(ThanosqlError, match="the disk is gone"):
        asyncio.run(transcribe(a_run(predictor, []), lists, batch_size, fails=True))
    assert predictor.streams == 0


@given(lists=BATCHES, batch_size=st.integers(1, 7), seed=st.integers(0, 2**32), stop=st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_a_caller_who_leaves_stops_the_stream(
    lists: list[list[str | None]], batch_size: int, seed: int, stop: int
) -> None:
    predictor = ShufflingPredictor(seed)
    answered = asyncio.run(transcribe(a_run(predictor, []), lists, batch_size, stop_after=stop))
    rows = [expected(path) for paths in lists for path in paths]
    assert answered == rows[: len(answered)]
    assert predictor.streams == 0
