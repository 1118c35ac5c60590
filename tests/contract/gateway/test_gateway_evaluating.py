"""EVALUATE through a gateway on a real port: slices, and what is drawn together."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql_runtime.errors import Reason

MODEL = "tutorial_audio_recognition"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path) as made:
        yield made


def _put_calls(world: World, **columns: list[Any]) -> None:
    texts = ["heard 0.flac", "heard 1.flac", "wrong", "wrong", None]
    rows: dict[str, list[Any]] = {"audio_path": [f"{n}.flac" for n in range(5)], "text": texts, **columns}
    world.storage.put_table("calls", rows)


async def test_slices_stand_below_the_total_worst_first(world: World) -> None:
    _put_calls(world, speaker=["ann", None, "ann", "bo", "cy"], local=[True] * 5)
    statement = f"EVALUATE USING {MODEL} OPTIONS(slice_by=['SPEAKER', 'local']) AS SELECT * FROM calls"
    rows = (await world.client.succeed(statement)).rows
    told = [(row["speaker"], row["local"], row["wer"], row["rows"], row["rows_left_out"]) for row in rows]
    assert told == [
        ("(all)", "(all)", 0.5, 4, 1),
        ("bo", "true", 1.0, 1, 0),
        ("ann", "true", 0.5, 2, 0),
        ("(null)", "true", 0.0, 1, 0),
        ("cy", "true", None, 0, 1),
    ]
    assert [(row["wer_low"], row["wer_high"]) for row in rows[:3]] == [(0.25, 1.0), (None, None), (0.25, 1.0)]
    assert [row["real_time_factor"] is None for row in rows] == [False, True, True, True, True]


async def test_rows_of_one_value_go_as_one_group(world: World) -> None:
    _put_calls(world, speaker=[7, 7, None, 8, 7])
    await world.client.succeed(
        f"EVALUATE USING {MODEL} OPTIONS(resample_by='speaker') AS SELECT * FROM calls"
    )
    groups = [row.group for row in world.trainer.scored]
    assert groups[0] == groups[1] == groups[4]
    assert len(set(groups)) == 3
    assert not any(row.HasField("slice") for row in world.trainer.scored)


@pytest.mark.parametrize(
    ("option", "words", "reason"),
    [
        ("slice_by='speaker'", "more than 1000 different values of 'speaker'", Reason.INVALID_OPTION_VALUE),
        ("slice_by='rows'", "a score has that name; rename the column", Reason.INVALID_OPTION_VALUE),
        ("slice_by='loud'", "no column 'loud' for the slices", Reason.COLUMN_NOT_FOUND),
        ("resample_by='lists'", "holds list", Reason.INVALID_DATA),
    ],
)
async def test_a_column_that_makes_no_slices_is_refused(
    world: World, option: str, words: str, reason: Reason
) -> None:
    many = list(range(1001))
    columns: dict[str, list[Any]] = {"speaker": many, "rows": many, "lists": [[n] for n in many]}
    paths = [f"{n}.flac" for n in many]
    world.storage.put_table("calls", {"audio_path": paths, "text": paths, **columns})
    statement = f"EVALUATE USING {MODEL} OPTIONS({option}) AS SELECT * FROM calls"
    failure = await world.client.fail(statement)
    assert (failure.reason, words in failure.message) == (reason, True), failure.message
    assert failure.statement is not None
    assert failure.statement.span.start == statement.index("='") + 1


async def test_explain_tells_slices_and_groups(world: World) -> None:
    _put_calls(world, speaker=[1] * 5)
    options = "OPTIONS(slice_by='speaker', resample_by='speaker')"
    answer = await world.client.succeed(f"EXPLAIN EVALUATE USING Wav2Vec2En {options} AS SELECT * FROM calls")
    step = answer.rows[-1]["what"]
    assert "also apart for each value of 'speaker'" in step
    assert "from groups of rows with one 'speaker'" in step
    assert not world.trainer.scored


async def test_rows_tell_their_errors_and_where_the_texts_differ(world: World) -> None:
    _put_calls(world, speaker=["ann"] * 5, wer=["old"] * 5)
    answer = await world.client.succeed(
        f"EVALUATE USING {MODEL} OPTIONS(per_row=True, batch_size=2) AS SELECT * FROM calls"
    )
    assert list(answer.rows[0])[:4] == ["audio_path", "text", "speaker", "predicted"]
    assert [row["wer"] for row in answer.rows] == [0.0, 0.0, 1.0, 1.0, None]
    assert [row["reference_words"] for row in answer.rows] == [2, 2, 1, 1, None]
    assert answer.rows[2]["difference"] == "[wrong>heard 2.flac]"
    assert answer.rows[4]["error"].startswith("TEXT_EMPTY")
    assert [row["error"] for row in answer.rows[:4]] == [None] * 4
    assert answer.done.row_errors == 1
    assert any("take the place of the query's 'wer'" in notice for notice in answer.notices)
    assert answer.done.message.startswith("5 rows, transcribed by")


@pytest.mark.parametrize("option", ["audio_col='predicted'", "text_col='Error'"])
async def test_a_column_that_is_compared_is_not_lost(world: World, option: str) -> None:
    texts = ["a", "b", "c", "d", "e"]
    _put_calls(world, predicted=texts, error=texts)
    failure = await world.client.fail(
        f"EVALUATE USING {MODEL} OPTIONS(per_row=True, {option}) AS SELECT * FROM calls"
    )
    assert failure.reason is Reason.INVALID_OPTION_VALUE
    assert "another name in the query" in failure.message


async def test_a_text_without_words_fails_its_row_alone(world: World) -> None:
    world.storage.put_table("calls", {"audio_path": ["0.flac", "1.flac"], "text": ["...", "heard 1.flac"]})
    answer = await world.client.succeed(
        f"EVALUATE USING {MODEL} OPTIONS(per_row=True) AS SELECT * FROM calls"
    )
    assert [(row["predicted"], row["wer"]) for row in answer.rows] == [
        ("heard 0.flac", None),
        ("heard 1.flac", 0.0),
    ]
    assert answer.rows[0]["error"] == "TEXT_EMPTY: no word"
    assert [(e.row, e.reason) for e in answer.of("row_errors")[0].errors] == [(0, "TEXT_EMPTY")]


async def test_many_rows_are_compared_in_parts(world: World) -> None:
    paths = [f"{n}.flac" for n in range(150)]
    world.storage.put_table("calls", {"audio_path": paths, "text": [f"heard {path}" for path in paths]})
    answer = await world.client.succeed(
        f"EVALUATE USING {MODEL} OPTIONS(per_row=True, batch_size=150) AS SELECT * FROM calls"
    )
    assert {row["wer"] for row in answer.rows} == {0.0}
    assert world.trainer.compared_at_once == [64, 64, 22]


async def test_an_evaluation_stands_where_a_table_may(world: World) -> None:
    _put_calls(world)
    rows = f"(EVALUATE USING {MODEL} OPTIONS(per_row=True) AS SELECT * FROM calls)"
    await world.client.succeed(f"CREATE TABLE kept AS {rows}")
    assert world.storage.tables["kept"].num_rows == 5
    nested = await world.client.succeed(f"SELECT * FROM (EVALUATE USING {MODEL} AS SELECT * FROM calls)")
    assert nested.rows[0]["wer"] == 0.5
    assert not nested.done.HasField("scores")
    inner = "EVALUATE USING Wav2Vec2En OPTIONS(per_row=True) AS SELECT * FROM calls"
    explained = await world.client.succeed(f"EXPLAIN SELECT difference FROM ({inner})")
    assert "answer each row with its errors" in explained.rows[2]["what"]


async def test_evaluations_are_kept_with_their_model_and_rows(world: World) -> None:
    _put_calls(world)
    for rest in ("", " ORDER BY audio_path DESC", " LIMIT 4"):
        await world.client.succeed(f"EVALUATE USING {MODEL} AS SELECT * FROM calls{rest}")
    answer = await world.client.succeed(f"SHOW EVALUATIONS {MODEL}")
    marks = [row["rows_mark"] for row in answer.rows]
    assert marks[1] == marks[2] != marks[0]
    oldest = answer.rows[2]
    assert (oldest["model"], oldest["version"], oldest["wer"], oldest["rows"]) == (MODEL, 1, 0.5, 4)
    assert oldest["statement"] == f"EVALUATE USING {MODEL} AS SELECT * FROM calls"
    assert (oldest["wer_low"], oldest["wer_high"]) == (0.25, 1.0)
    best = await world.client.succeed(f"SELECT wer FROM (SHOW EVALUATIONS {MODEL}) ORDER BY wer")
    assert len(best.rows) == 3


async def test_an_evaluation_that_cannot_be_kept_is_answered(world: World) -> None:
    _put_calls(world)
    world.trainer.keeps_nothing = True
    answer = await world.client.succeed(f"EVALUATE USING {MODEL} AS SELECT * FROM calls")
    assert answer.rows[0]["wer"] == 0.5
    assert answer.notices == ["SHOW EVALUATIONS will not have this one: the disk is full"]


async def test_a_model_never_evaluated_has_no_evaluations_and_a_wrong_name_is_told(world: World) -> None:
    assert not (await world.client.succeed("SHOW EVALUATIONS")).rows
    assert not (await world.client.succeed("SHOW EVALUATIONS Wav2Vec2En")).rows
    failure = await world.client.fail("SHOW EVALUATIONS nobody")
    assert failure.reason is Reason.MODEL_NOT_FOUND
    explained = await world.client.succeed("EXPLAIN SHOW EVALUATIONS")
    assert explained.rows[0]["what"] == "show the evaluations, newest first"
