"""BUILD, FIT and EVALUATE through a gateway on a real port, and what a caller who leaves takes along."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_trainer import TRAINING_DIVERGED
from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.testing import eventually

BUILD = "BUILD MODEL m USING Wav2Vec2En OPTIONS (epochs=1) AS SELECT * FROM t"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path) as made:
        made.storage.put_table(
            "t",
            {"audio_path": [f"{n}.flac" for n in range(10)], "text": [f"heard {n}.flac" for n in range(10)]},
        )
        yield made


async def test_a_build_tells_its_base_progress_job_and_card(world: World) -> None:
    world.trainer.left_out = [
        types_pb2.RowError(row=3, subject="3.flac", reason="AUDIO_EMPTY", message="no samples")
    ]
    answer = await world.client.succeed(BUILD)
    assert answer.notices == ["training starts from Wav2Vec2En.1: the bundled checkpoint"]
    assert [progress.stage for progress in answer.of("progress")][2:] == ["queued", "training", "succeeded"]
    assert answer.of("progress")[3].loss == 2.5
    assert [job.sequence for job in answer.of("job")] == [1, 3]
    card = answer.rows[0]
    assert (card["model"], card["version"], card["base"]) == ("m", 1, "Wav2Vec2En.1")
    assert (card["wer_before"], card["wer"], card["rows_used"], card["rows_left_out"]) == (0.9, 0.4, 8, 1)
    assert answer.of("row_errors")[0].errors[0].subject == "3.flac"
    assert answer.done.message.endswith("word error rate on 2 held-out rows 90.0% before, 40.0% now")
    assert (answer.done.model.name, answer.done.row_errors) == ("m", 1)


async def test_a_job_gets_only_the_two_columns_of_the_query(world: World) -> None:
    world.storage.put_table("wide", {"secret": [1], "spoken": ["a"], "file": ["a.flac"]})
    await world.client.succeed(
        "BUILD MODEL m USING Wav2Vec2En OPTIONS (audio_col='file', text_col='spoken') AS SELECT * FROM wide"
    )
    request = world.trainer.requests[0]
    assert world.storage.snapshots[request.snapshot_id].to_pylist() == [{"file": "a.flac", "spoken": "a"}]
    assert (request.options.audio_col, request.options.text_col) == ("file", "spoken")
    assert request.base == "Wav2Vec2En.1"


async def test_a_job_is_told_the_tables_behind_its_rows_nested_ones_too(world: World) -> None:
    world.storage.put_table("u", {"audio_path": ["1.flac"]})
    await world.client.succeed(
        "BUILD MODEL m USING Wav2Vec2En AS SELECT t.* FROM t JOIN "
        "(PREDICT USING tutorial_audio_recognition AS SELECT * FROM u) AS p USING (audio_path)"
    )
    told = [(item.table, item.version) for item in world.trainer.requests[0].built_from]
    assert sorted(told) == [("t", 1), ("u", 1)]


async def test_the_same_request_id_asks_for_the_same_job(world: World) -> None:
    for request_id in ("one", "one", "two"):
        answer = await world.client.run(f"SELECT 1; {BUILD}", request_id)
        assert answer.failure is None
    ids = [request.request_id for request in world.trainer.requests]
    assert ids[0] == ids[1] != ids[2]


async def test_an_empty_table_is_refused_before_anything_starts(world: World) -> None:
    failure = await world.client.fail(f"{BUILD} WHERE text = 'nothing'")
    assert failure.reason is Reason.NO_USABLE_ROWS
    assert world.trainer.requests == []
    assert "WriteTable" not in world.storage.calls


async def test_a_missing_column_is_refused_before_anything_starts(world: World) -> None:
    failure = await world.client.fail("BUILD MODEL m USING Wav2Vec2En AS SELECT audio_path FROM t")
    assert failure.reason is Reason.COLUMN_NOT_FOUND
    assert "no column 'text'" in failure.message
    assert "it has: audio_path" in failure.message
    assert world.storage.snapshots == {}
    assert world.trainer.requests == []


async def test_a_model_that_exists_is_kept_without_overwrite(world: World) -> None:
    world.storage.models["m"] = types_pb2.ModelVersion(name="m", version=1, kind=types_pb2.MODEL_KIND_TRAINED)
    failure = await world.client.fail(BUILD)
    assert failure.reason is Reason.MODEL_ALREADY_EXISTS
    assert failure.statement is not None
    assert BUILD[failure.statement.span.start : failure.statement.span.end] == "m"
    await world.client.succeed(BUILD.replace("epochs=1", "overwrite=True"))


async def test_build_needs_a_base_and_says_how_to_train_further(world: World) -> None:
    world.storage.models["mine"] = types_pb2.ModelVersion(
        name="mine", version=1, kind=types_pb2.MODEL_KIND_TRAINED
    )
    failure = await world.client.fail("BUILD MODEL m USING mine AS SELECT * FROM t")
    assert failure.reason is Reason.BASE_MODEL_NOT_FOUND
    assert "FIT MODEL m USING mine" in failure.message
    await world.client.succeed("FIT MODEL m USING mine AS SELECT * FROM t")


async def test_an_unknown_base_is_a_base_that_is_not_found(world: World) -> None:
    failure = await world.client.fail("BUILD MODEL m USING Wav2Vec3 AS SELECT * FROM t")
    assert failure.reason is Reason.BASE_MODEL_NOT_FOUND


async def test_a_failed_job_fails_the_statement_with_its_reason(world: World) -> None:
    world.trainer.fails_with = (TRAINING_DIVERGED, "the loss became infinite; lower learning_rate")
    failure = await world.client.fail(BUILD)
    assert failure.reason is Reason.TRAINING_DIVERGED
    assert failure.message == "the loss became infinite; lower learning_rate"
    assert failure.metadata["job"] in world.trainer.jobs


async def test_a_job_that_is_refused_leaves_no_rows_behind(world: World) -> None:
    world.trainer.refuses_with = error(Reason.OVERLOADED, "the queue is full")
    failure = await world.client.fail(BUILD)
    assert failure.reason is Reason.OVERLOADED
    assert world.storage.snapshots == {}


async def test_a_broken_watch_is_taken_up_again(world: World) -> None:
    world.trainer.breaks_watch_after = 2
    answer = await world.client.succeed(BUILD)
    assert answer.done.model.name == "m"


async def test_a_caller_who_leaves_a_build_cancels_its_job(world: World) -> None:
    world.trainer.hang = True
    call = world.client.begin(BUILD)
    async for event in call:
        if event.HasField("progress") and event.progress.stage == "training":
            break
    call.cancel()
    await eventually(lambda: bool(world.trainer.cancelled) and world.trainer.watchers == 0)
    assert world.trainer.cancelled == list(world.trainer.jobs)


async def test_a_caller_who_leaves_while_the_job_starts_cancels_it_too(world: World) -> None:
    world.trainer.may_start.clear()
    call = world.client.begin(BUILD)
    await eventually(lambda: world.trainer.starting == 1)
    call.cancel()
    await world.client.succeed("SELECT 1 AS a")
    world.trainer.may_start.set()
    await eventually(lambda: bool(world.trainer.cancelled))
    assert world.trainer.cancelled == list(world.trainer.jobs)
    await eventually(lambda: world.storage.snapshots == {})


async def test_a_caller_who_leaves_a_prediction_stops_predictor_and_storage(world: World) -> None:
    world.predictor.hang = True
    world.storage.put_table("long", {"audio_path": [str(n) for n in range(5000)]})
    world.storage.batch_rows = 10
    call = world.client.begin("PREDICT USING tutorial_audio_recognition AS SELECT * FROM long")
    await eventually(lambda: world.predictor.most_in_flight > 0)
    call.cancel()
    await eventually(lambda: world.predictor.open_streams == 0 and world.storage.open_queries == 0)


async def test_a_caller_who_leaves_a_nested_prediction_stops_everything(world: World) -> None:
    world.predictor.hang = True
    call = world.client.begin(
        "CREATE TABLE p AS SELECT * FROM (PREDICT USING tutorial_audio_recognition AS SELECT * FROM t)"
    )
    await eventually(lambda: world.predictor.most_in_flight > 0)
    call.cancel()
    await eventually(lambda: world.predictor.open_streams == 0 and world.storage.open_queries == 0)
    assert "p" not in world.storage.tables


async def test_an_evaluation_answers_scores_and_counts_what_it_left_out(world: World) -> None:
    texts = ["heard 0.flac", "heard 1.flac", "wrong", None, "  ", "heard 5.flac"]
    world.storage.put_table("e", {"audio_path": [f"{n}.flac" for n in range(6)], "text": texts})
    world.predictor.failures["5.flac"] = error(Reason.AUDIO_NOT_FOUND, "no such recording")
    answer = await world.client.succeed("EVALUATE USING tutorial_audio_recognition AS SELECT * FROM e")
    row = answer.rows[0]
    assert (row["rows"], row["rows_left_out"], row["substitutions"]) == (3, 3, 1)
    assert row["audio_seconds"] == 6.0
    assert row["real_time_factor"] > 0
    assert answer.done.scores.rows == 3
    assert answer.done.row_errors == 3
    reasons = {e.row: e.reason for errors in answer.of("row_errors") for e in errors.errors}
    assert reasons == {3: "TEXT_EMPTY", 4: "TEXT_EMPTY", 5: "AUDIO_NOT_FOUND"}


async def test_an_evaluation_of_nothing_usable_fails(world: World) -> None:
    world.storage.put_table("e", {"audio_path": ["a"], "text": [""]})
    failure = await world.client.fail("EVALUATE USING tutorial_audio_recognition AS SELECT * FROM e")
    assert failure.reason is Reason.NO_USABLE_ROWS
