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
