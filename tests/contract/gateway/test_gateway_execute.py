"""SELECT, COPY, PREDICT through a gateway on a real port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.testing import eventually


@pytest.fixture(params=["on one port", "on five ports"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path, apart=request.param == "on five ports") as made:
        made.storage.put_table("t", {"audio_path": [f"{n}.flac" for n in range(50)], "n": list(range(50))})
        yield made


async def test_a_select_answers_started_schema_rows_done_in_this_order(world: World) -> None:
    answer = await world.client.succeed("SELECT * FROM t LIMIT 5")
    assert answer.kinds == ["started", "schema", "record_batch", "done"]
    assert answer.rows[4] == {"audio_path": "4.flac", "n": 4}
    assert answer.of("started")[0].kind == "SELECT"
    assert answer.done.rows == 5


async def test_a_select_without_rows_still_has_its_columns(world: World) -> None:
    answer = await world.client.succeed("SELECT n FROM t WHERE n > 99")
    assert answer.table.num_rows == 0
    assert answer.table.column_names == ["n"]


async def test_statements_run_in_order_with_their_number(world: World) -> None:
    answer = await world.client.succeed("SELECT 1 AS a; SELECT 2 AS b")
    assert [event.statement_index for event in answer.events] == [0, 0, 0, 0, 1, 1, 1, 1]


async def test_the_first_failure_ends_the_call_and_says_where(world: World) -> None:
    text = "SELECT 1 AS a;\nSELECT * FROM nowhere;\nDROP TABLE t"
    answer = await world.client.run(text)
    assert answer.failure is not None
    assert answer.failure.reason is Reason.TABLE_NOT_FOUND
    assert answer.failure.metadata["statement_index"] == "1"
    assert answer.failure.statement is not None
    span = answer.failure.statement.span
    assert text[span.start : span.end] == "nowhere"
    assert (span.line, span.column) == (2, 15)
    assert "t" in world.storage.tables


async def test_a_wrong_column_is_placed_in_the_text(world: World) -> None:
    text = "SELECT n,\n  nn FROM t"
    failure = await world.client.fail(text)
    assert failure.reason is Reason.COLUMN_NOT_FOUND
    assert failure.statement is not None
    assert (failure.statement.span.line, failure.statement.span.column) == (2, 3)


async def test_a_syntax_error_passes_with_its_place(world: World) -> None:
    failure = await world.client.fail("SELEC 1")
    assert failure.reason is Reason.SYNTAX_ERROR
    assert failure.statement is not None
    assert failure.statement.span.line == 1


async def test_copy_tells_progress_rows_left_out_and_the_count(world: World) -> None:
    world.storage.sources["a.csv"] = pa.table({"a": [1, 2, 3]})
    answer = await world.client.succeed('COPY c FROM "a.csv"')
    assert answer.kinds == ["started", "progress", "notice", "row_errors", "schema", "record_batch", "done"]
    assert answer.done.message == "3 rows copied into c, 1 row left out: see c_quarantine"
    assert answer.notices == ["column 'a' was widened from int64 to double"]
    assert answer.rows == [{"column": "a", "type": "int64"}]
    assert (answer.done.rows_changed, answer.done.row_errors) == (3, 1)


async def test_a_copy_of_no_file_points_at_the_path(world: World) -> None:
    text = 'COPY c FROM "b.csv"'
    failure = await world.client.fail(text)
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == '"b.csv"'


async def test_a_prediction_keeps_the_order_of_the_rows(world: World) -> None:
    world.predictor.hold = 7
    answer = await world.client.succeed(
        "PREDICT USING tutorial_audio_recognition OPTIONS (batch_size=4) AS SELECT * FROM t"
    )
    assert [row["predicted"] for row in answer.rows] == [f"heard {n}.flac" for n in range(50)]
    assert answer.table.column_names == ["audio_path", "n", "predicted", "error"]
    assert answer.table.column("error").null_count == 50
    assert answer.done.model.name == "tutorial_audio_recognition"
    assert answer.done.message.startswith("50 rows, transcribed by tutorial_audio_recognition.")
    assert answer.of("progress")[-1].done == 50
    assert answer.of("progress")[-1].audio_s == 100.0


@pytest.mark.parametrize("verb", ["PREDICT", "EVALUATE"])
async def test_a_precision_reaches_the_predictor_and_what_serves_instead_is_told(
    world: World, verb: str
) -> None:
    world.predictor.notice = "bfloat16 serves in place of int8: it hears something else"
    world.storage.put_table("told", {"audio_path": ["a.flac"], "text": ["A"]})
    told = await world.client.succeed(
        f"{verb} USING tutorial_audio_recognition OPTIONS (precision='int8') AS SELECT * FROM told"
    )
    silent = await world.client.succeed(f"{verb} USING tutorial_audio_recognition AS SELECT * FROM told")
    assert world.predictor.precisions == [types_pb2.PRECISION_INT8, types_pb2.PRECISION_UNSPECIFIED]
    assert told.notices == [world.predictor.notice]
    assert silent.notices == [], "nobody asked for a precision"


@pytest.mark.parametrize("verb", ["PREDICT", "EVALUATE"])
async def test_explain_names_the_precision(world: World, verb: str) -> None:
    world.storage.put_table("told", {"audio_path": ["a.flac"], "text": ["A"]})
    answer = await world.client.succeed(
        f"EXPLAIN {verb} USING Wav2Vec2En OPTIONS (precision='int8') AS SELECT * FROM told"
    )
    assert any(" in int8" in row["what"] for row in answer.rows)


async def test_a_bad_recording_is_a_row_error_and_not_a_failure(world: World) -> None:
    world.predictor.failures["3.flac"] = error(Reason.AUDIO_UNREADABLE, "not audio")
    answer = await world.client.succeed("PREDICT USING tutorial_audio_recognition AS SELECT * FROM t")
    assert answer.rows[3]["predicted"] is None
    assert answer.rows[3]["error"] == "AUDIO_UNREADABLE: not audio"
    assert answer.done.row_errors == 1
    assert [(e.row, e.subject) for e in answer.of("row_errors")[0].errors] == [(3, "3.flac")]


async def test_a_row_without_a_path_never_reaches_the_predictor(world: World) -> None:
    world.storage.put_table("holes", {"audio_path": [None, None, "", "a.flac"]})
    answer = await world.client.succeed(
        "PREDICT USING tutorial_audio_recognition OPTIONS (batch_size=1) AS SELECT * FROM holes"
    )
    assert [row["predicted"] for row in answer.rows] == [None, None, None, "heard a.flac"]
    assert answer.done.row_errors == 3
    assert world.predictor.rows_seen == ["a.flac"]


async def test_rows_in_flight_are_bounded(world: World) -> None:
    world.predictor.hang = True
    world.storage.put_table("long", {"audio_path": [f"{n}" for n in range(40)]})
    call = world.client.begin(
        "PREDICT USING tutorial_audio_recognition OPTIONS (batch_size=2) AS SELECT * FROM long"
    )
    # Nothing is answered, so the window of four batches fills and stays full.
    try:
        assert (await call.read()).HasField("started")
        await eventually(lambda: world.predictor.most_in_flight == 8)
        assert world.predictor.most_in_flight == 8
    finally:
        call.cancel()


async def test_a_slow_caller_holds_the_rows_back(world: World) -> None:
    world.storage.put_table("wide", {"text": ["x" * 100_000] * 1000})
    world.storage.batch_rows = 10
    call = world.client.begin("SELECT * FROM wide")
    events = aiter(call)
    assert [(await anext(events)).WhichOneof("event") for _ in range(2)] == ["started", "schema"]
    for _ in range(30):
        await world.client.succeed("SELECT 1 AS a")
    # A hundred batches of 1 MB wait; those read lie in the buffers between the three (17 when measured).
    assert world.storage.batches_read - 30 < 40
    assert len([event async for event in events if event.HasField("record_batch")]) == 100


async def test_a_missing_audio_column_fails_and_names_the_known_ones(world: World) -> None:
    text = "PREDICT USING tutorial_audio_recognition OPTIONS (audio_col='audio_pat') AS SELECT * FROM t"
    failure = await world.client.fail(text)
    assert failure.reason is Reason.COLUMN_NOT_FOUND
    assert "did you mean 'audio_path'" in failure.message
    assert failure.statement is not None
    assert failure.statement.known == ("audio_path", "n")
    assert text[failure.statement.span.start : failure.statement.span.end] == "'audio_pat'"
    assert world.predictor.streams_begun == 0


async def test_an_unknown_model_fails_at_its_name(world: World) -> None:
    text = "PREDICT USING nobody AS SELECT * FROM t"
    failure = await world.client.fail(text)
    assert failure.reason is Reason.MODEL_NOT_FOUND
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == "nobody"


async def test_a_prediction_stands_where_a_table_may(world: World) -> None:
    answer = await world.client.succeed(
        "SELECT n, predicted FROM (PREDICT USING tutorial_audio_recognition AS SELECT * FROM t) WHERE n = 7"
    )
    assert answer.rows == [{"n": 7, "predicted": "heard 7.flac"}]
    assert answer.of("progress")
