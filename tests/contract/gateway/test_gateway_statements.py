"""PRINT, changes of tables, lists, EXPLAIN and what is not available, through a gateway on a real port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import gateway_pb2, trainer_pb2, types_pb2
from thanosql_runtime.errors import Reason, error


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path, media_files=3) as made:
        made.storage.put_table("t", {"audio_path": [f"{n}.flac" for n in range(5)], "n": list(range(5))})
        made.storage.files = {f"{n}.flac": bytes([n]) * (n * 70_000) for n in range(5)}
        yield made


async def test_print_sends_the_rows_and_each_recording(world: World) -> None:
    answer = await world.client.succeed("PRINT AUDIO AS SELECT audio_path FROM t LIMIT 3")
    starts = answer.of("media_start")
    assert [(s.row, s.path, s.mime_type, s.size_bytes) for s in starts] == [
        (0, "0.flac", "audio/flac", 0),
        (1, "1.flac", "audio/flac", 70_000),
        (2, "2.flac", "audio/flac", 140_000),
    ]
    chunks = answer.of("media_chunk")
    assert [chunk.last for chunk in chunks] == [True, False, True, False, False, True]
    assert b"".join(chunk.data for chunk in chunks) == b"".join(
        world.storage.files[f"{n}.flac"] for n in range(3)
    )
    assert max(len(chunk.data) for chunk in chunks) <= 64 << 10
    assert answer.done.message == "3 recordings of 3 rows"


async def test_print_takes_the_only_column_whatever_its_name(world: World) -> None:
    answer = await world.client.succeed("PRINT AUDIO AS SELECT audio_path AS file FROM t LIMIT 1")
    assert len(answer.of("media_start")) == 1


async def test_print_without_the_column_names_the_known_ones(world: World) -> None:
    failure = await world.client.fail("PRINT AUDIO AS SELECT audio_path AS file, n FROM t")
    assert failure.reason is Reason.COLUMN_NOT_FOUND
    assert failure.statement is not None
    assert failure.statement.known == ("file", "n")


async def test_print_counts_recordings_that_cannot_be_read(world: World) -> None:
    world.storage.put_table("bad", {"audio_path": ["gone.flac", "/etc/passwd", "1.flac"]})
    answer = await world.client.succeed("PRINT AUDIO AS SELECT * FROM bad")
    errors = [e for group in answer.of("row_errors") for e in group.errors]
    assert [(e.row, e.reason) for e in errors] == [(0, "FILE_NOT_FOUND"), (1, "PATH_OUTSIDE_WORKSPACE")]
    assert answer.done.row_errors == 2
    assert answer.done.message == "1 recording of 3 rows"


async def test_print_stops_at_its_limit_and_says_so(world: World) -> None:
    answer = await world.client.succeed("PRINT AUDIO AS SELECT * FROM t")
    assert len(answer.of("media_start")) == answer.table.num_rows == 3
    assert answer.notices == ["the first 3 rows are shown; add LIMIT and OFFSET to see others"]


async def test_print_does_not_play_what_is_no_recording_by_its_name(world: World) -> None:
    world.storage.put_table("bad", {"audio_path": ["secrets.txt"]})
    answer = await world.client.succeed("PRINT AUDIO AS SELECT * FROM bad")
    assert answer.of("row_errors")[0].errors[0].reason == "UNSUPPORTED_FORMAT"
    assert "ReadFile" not in world.storage.calls


async def test_a_table_is_made_from_a_prediction(world: World) -> None:
    answer = await world.client.succeed(
        "CREATE TABLE p AS PREDICT USING tutorial_audio_recognition AS SELECT * FROM t"
    )
    assert answer.done.rows_changed == 5
    assert world.storage.tables["p"].column("predicted")[4].as_py() == "heard 4.flac"


async def test_a_table_that_exists_stops_a_create_before_the_rows_are_made(world: World) -> None:
    text = "CREATE TABLE t AS PREDICT USING tutorial_audio_recognition AS SELECT * FROM t"
    failure = await world.client.fail(text)
    assert failure.reason is Reason.TABLE_ALREADY_EXISTS
    assert failure.statement is not None
    assert failure.statement.span.start == text.index("t AS")
    assert world.predictor.streams_begun == 0


async def test_create_if_not_exists_and_or_replace(world: World) -> None:
    kept = await world.client.succeed("CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a")
    assert "nothing was done" in kept.done.message
    await world.client.succeed("CREATE OR REPLACE TABLE t AS SELECT 1 AS a")
    assert world.storage.tables["t"].to_pylist() == [{"a": 1}]


async def test_a_create_whose_query_fails_midway_leaves_nothing(world: World) -> None:
    world.storage.put_table("long", {"n": list(range(5000))})
    world.storage.fail_after_batches = 2
    failure = await world.client.fail("CREATE TABLE copy AS SELECT * FROM long")
    assert failure.reason is Reason.STORE_UNAVAILABLE
    assert "copy" not in world.storage.tables


async def test_a_create_whose_prediction_fails_midway_leaves_nothing(world: World) -> None:
    world.predictor.fail_stream_after = 3
    failure = await world.client.fail(
        "CREATE TABLE p AS SELECT * FROM (PREDICT USING tutorial_audio_recognition AS SELECT * FROM t)"
    )
    assert failure.reason is Reason.STORE_UNAVAILABLE
    assert failure.message == "the object store is gone"
    assert "p" not in world.storage.tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INSERT INTO t VALUES ('9.flac', 9)", "1 row inserted into 't'"),
        ("UPDATE t SET n = 1", "5 rows changed in 't'"),
        ("DELETE FROM t WHERE n > 2", "5 rows deleted from 't'"),
        ("ALTER TABLE t DROP COLUMN n", "table 't' has the columns audio_path"),
        ("DROP TABLE t", "table 't' dropped"),
        ("DROP TABLE IF EXISTS u", "table 'u' did not exist; nothing was done"),
        ("DELETE MODEL Wav2Vec2En", "model 'Wav2Vec2En' deleted, 1 version"),
        ("DELETE MODEL IF EXISTS m", "model 'm' did not exist; nothing was done"),
        ("DELETE MODEL IF EXISTS m.7", "version 7 of model 'm' did not exist; nothing was done"),
        ("DELETE MODEL Wav2Vec2En.1", "version 1 of model 'Wav2Vec2En' deleted, 1 version"),
        (
            "ACTIVATE MODEL Wav2Vec2En.3",
            "statements that name model 'Wav2Vec2En' use version 3 from now on",
        ),
    ],
)
async def test_changes_say_what_they_did(world: World, text: str, message: str) -> None:
    assert (await world.client.succeed(text)).done.message == message


async def test_a_model_in_use_is_deleted_only_by_force(world: World) -> None:
    world.storage.models_in_use.add("Wav2Vec2En")
    for text in ("DELETE MODEL Wav2Vec2En", "EXPLAIN DELETE MODEL Wav2Vec2En"):
        failure = await world.client.fail(text)
        assert failure.reason is Reason.MODEL_IN_USE
        assert failure.statement is not None
        assert text[failure.statement.span.start : failure.statement.span.end] == "Wav2Vec2En"
    await world.client.succeed("EXPLAIN DELETE MODEL Wav2Vec2En OPTIONS(force=True)")
    assert "Wav2Vec2En" in world.storage.models
    await world.client.succeed("DELETE MODEL Wav2Vec2En OPTIONS(force=True)")
    assert "Wav2Vec2En" not in world.storage.models


async def test_explaining_an_activation_tells_which_version_it_replaces(world: World) -> None:
    answer = await world.client.succeed("EXPLAIN ACTIVATE MODEL Wav2Vec2En.3")
    assert answer.table["what"].to_pylist() == [
        "let statements that name model 'Wav2Vec2En' use version 3 in place of 1"
    ]
    answer = await world.client.succeed("EXPLAIN ACTIVATE MODEL Wav2Vec2En.1")
    assert answer.table["what"].to_pylist() == [
        "do nothing, because version 1 of model 'Wav2Vec2En' is the active one"
    ]


async def test_a_version_alone_is_deleted(world: World) -> None:
    await world.client.succeed("DELETE MODEL Wav2Vec2En.1")
    assert world.storage.deleted == [("Wav2Vec2En", 1)]


async def test_a_change_of_no_table_points_at_its_name(world: World) -> None:
    text = "UPDATE nowhere SET n = 1"
    failure = await world.client.fail(text)
    assert failure.reason is Reason.TABLE_NOT_FOUND
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == "nowhere"


async def test_lists_go_through_every_page_and_stand_in_queries(world: World) -> None:
    for name in ("u", "v", "w", "x"):
        world.storage.put_table(name, {"a": [1]})
    listed = await world.client.succeed("LIST TABLE")
    assert [row["name"] for row in listed.rows] == ["t", "u", "v", "w", "x"]
    nested = await world.client.succeed("SELECT name FROM (LIST MODEL) LIMIT 3")
    assert nested.rows == [{"name": "Wav2Vec2En"}]


async def test_datasets_are_the_folders_of_the_tutorial(world: World) -> None:
    world.storage.files["tutorial_data/librispeech_data/a.csv"] = b"12"
    world.storage.files["tutorial_data/librispeech_data/b.flac"] = b"345"
    answer = await world.client.succeed("LIST THANOSQL DATASET")
    assert answer.rows == [
        {
            "name": "librispeech_data",
            "path": "tutorial_data/librispeech_data",
            "files": 2,
            "size_bytes": 5,
        }
    ]


async def test_a_model_is_described_with_its_metrics(world: World) -> None:
    world.storage.models["m"] = types_pb2.ModelVersion(
        name="m",
        version=2,
        kind=types_pb2.MODEL_KIND_TRAINED,
        metrics={"wer": 0.25},
        properties={"seed": "7"},
        built_from=[
            types_pb2.TableVersion(table="t", version=3),
            types_pb2.TableVersion(table="u", version=1),
        ],
    )
    described = {
        row["property"]: row["value"] for row in (await world.client.succeed("DESCRIBE MODEL m")).rows
    }
    assert (described["version"], described["wer"], described["seed"]) == ("2", "0.25", "7")
    assert described["built_from"] == "t AT VERSION 3, u AT VERSION 1"
    versions = await world.client.succeed("SHOW MODEL VERSIONS m")
    assert versions.rows[0]["version"] == 2


async def test_jobs_are_shown_and_cancelled(world: World) -> None:
    for job_id in ("a", "b", "c"):
        world.trainer.jobs[job_id] = trainer_pb2.TrainingJob(
            job_id=job_id, state=trainer_pb2.TrainingJob.STATE_TRAINING
        )
    assert [row["job_id"] for row in (await world.client.succeed("SHOW JOBS")).rows] == ["a", "b", "c"]
    assert (await world.client.succeed("SHOW JOB 'b'")).rows[0]["state"] == "TRAINING"
    assert (await world.client.succeed("CANCEL JOB 'b'")).done.message == "job 'b' is cancelled"
    assert world.trainer.cancelled == ["b"]
    assert (await world.client.fail("SHOW JOB 'z'")).reason is Reason.JOB_NOT_FOUND


async def test_a_job_is_resumed_or_says_why_not(world: World) -> None:
    for job_id, state in (
        ("a", trainer_pb2.TrainingJob.STATE_CANCELLED),
        ("b", trainer_pb2.TrainingJob.STATE_SUCCEEDED),
    ):
        world.trainer.jobs[job_id] = trainer_pb2.TrainingJob(job_id=job_id, state=state)
    explained = await world.client.succeed("EXPLAIN RESUME JOB 'a'")
    assert explained.rows[0]["what"] == "let job 'a', which is cancelled, go on from what is left of it"
    answer = await world.client.succeed("RESUME JOB 'a'")
    assert answer.of("job")[0].state == trainer_pb2.TrainingJob.STATE_QUEUED
    assert answer.done.message == (
        "job 'a' is queued: the job was resumed, and goes on from its checkpoint at step 3"
    )
    for text in ("RESUME JOB 'b'", "EXPLAIN RESUME JOB 'b'"):
        refused = await world.client.fail(text)
        assert (refused.reason, refused.statement is not None) == (Reason.INVALID_ARGUMENT, True)
    assert (await world.client.fail("RESUME JOB 'z'")).reason is Reason.JOB_NOT_FOUND


async def test_a_job_that_runs_is_not_resumed(world: World) -> None:
    job = trainer_pb2.TrainingJob(job_id="a", state=trainer_pb2.TrainingJob.STATE_TRAINING)
    job.notices.add(message="of long ago")
    world.trainer.jobs["a"] = job
    explained = await world.client.succeed("EXPLAIN RESUME JOB 'a'")
    assert explained.rows[0]["what"] == "leave job 'a', which is training, as it is"
    assert (await world.client.succeed("RESUME JOB 'a'")).done.message == "job 'a' is training"


@pytest.mark.parametrize(
    "text",
    [
        "SEARCH AUDIO USING m OPTIONS (search_by='text', search_input='a') AS SELECT * FROM t",
        "SELECT * FROM (SEARCH TEXT USING m OPTIONS (search_by='audio', search_input='b') AS SELECT 1)",
        "GET THANOSQL MODEL m",
        "PRINT IMAGE AS SELECT * FROM t",
    ],
)
async def test_what_is_not_available_says_so_and_what_to_use(world: World, text: str) -> None:
    failure = await world.client.fail(text)
    assert failure.reason is Reason.NOT_AVAILABLE_YET
    assert "is not available yet; " in failure.message


async def test_explain_resolves_names_and_changes_nothing(world: World) -> None:
    world.storage.models["m"] = types_pb2.ModelVersion(name="m", version=3)
    answer = await world.client.succeed(
        "EXPLAIN CREATE TABLE p AS SELECT predicted FROM "
        "(PREDICT USING m OPTIONS (result_col='predicted') AS SELECT * FROM t)"
    )
    steps = [row["what"] for row in answer.rows]
    assert len(steps) == 4
    assert "model m.3" in steps[1]
    assert "p" not in world.storage.tables
    assert world.predictor.streams_begun == 0


async def test_explain_names_every_column_that_is_added(world: World) -> None:
    answer = await world.client.succeed(
        "EXPLAIN PREDICT USING Wav2Vec2En OPTIONS (word_times=True, confidence=True, n_best=3) "
        "AS SELECT * FROM t"
    )
    added = "'predicted', 'confidence', 'words', 'alternatives' (the 3 best readings) and 'error'"
    assert added in answer.rows[-1]["what"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("EXPLAIN SELECT * FROM nowhere", Reason.TABLE_NOT_FOUND),
        ("EXPLAIN SELECT z FROM t", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN PREDICT USING nobody AS SELECT * FROM t", Reason.MODEL_NOT_FOUND),
        (
            "EXPLAIN PREDICT USING Wav2Vec2En OPTIONS (audio_col='z') AS SELECT * FROM t",
            Reason.COLUMN_NOT_FOUND,
        ),
        ("EXPLAIN BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM t", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN EVALUATE USING Wav2Vec2En OPTIONS (text_col='n') AS SELECT * FROM t", Reason.INVALID_DATA),
        ("EXPLAIN PRINT AUDIO AS SELECT n, n AS m FROM t", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN COPY t FROM 'a.csv'", Reason.TABLE_ALREADY_EXISTS),
        ("EXPLAIN CREATE TABLE t AS SELECT 1 AS a", Reason.TABLE_ALREADY_EXISTS),
        ("EXPLAIN UPDATE t SET z = 1", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN UPDATE t SET n = z", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN UPDATE t SET n = 1 WHERE z", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN UPDATE t SET n = max(n)", Reason.QUERY_FAILED),
        ("EXPLAIN DELETE FROM t WHERE z = 1", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN INSERT INTO t VALUES ('a')", Reason.INVALID_DATA),
        ("EXPLAIN INSERT INTO t (n) VALUES ('a', 1)", Reason.INVALID_DATA),
        ("EXPLAIN INSERT INTO t (z) VALUES (1)", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN INSERT INTO nowhere VALUES (1)", Reason.TABLE_NOT_FOUND),
        ("EXPLAIN DROP TABLE u", Reason.TABLE_NOT_FOUND),
        ("EXPLAIN CANCEL JOB 'x'", Reason.JOB_NOT_FOUND),
        ("EXPLAIN DESCRIBE MODEL nobody", Reason.MODEL_NOT_FOUND),
    ],
)
async def test_explain_finds_what_would_fail(world: World, text: str, reason: Reason) -> None:
    failure = await world.client.fail(text)
    assert failure.reason is reason
    assert failure.statement is not None


async def test_explain_of_a_change_points_at_the_column(world: World) -> None:
    text = "EXPLAIN UPDATE t SET n = 1 WHERE zz > 2"
    failure = await world.client.fail(text)
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == "zz"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("EXPLAIN UPDATE t SET n = n + 1 WHERE n > 1 AND audio_path LIKE '%1%'", "set n in the rows"),
        ("EXPLAIN UPDATE t SET N = NULL", "all of them"),
        ("EXPLAIN DELETE FROM t WHERE n", "delete rows"),
        ("EXPLAIN INSERT INTO t (n) VALUES (1)", "add the rows"),
        ("EXPLAIN INSERT INTO t VALUES ('9.flac', 9)", "add the rows"),
    ],
)
async def test_explain_lets_through_what_would_run(world: World, text: str, step: str) -> None:
    assert step in (await world.client.succeed(text)).rows[-1]["what"]
    assert world.storage.tables["t"].num_rows == 5


async def test_explain_call_answers_one_explanation_a_statement(world: World) -> None:
    request = gateway_pb2.ExplainRequest(
        text="SELECT * FROM t; DELETE FROM t WHERE n = 1; DROP TABLE t; LIST TABLE"
    )
    response = await world.client.stub.Explain(request, metadata=world.client.metadata)
    assert [item.kind for item in response.explanations] == ["SELECT", "DELETE", "DROP TABLE", "LIST TABLE"]
    assert response.explanations[1].steps[0].startswith("delete rows of table 't'")
    assert "t" in world.storage.tables


async def test_a_result_column_takes_the_place_of_one_of_its_name(world: World) -> None:
    answer = await world.client.succeed(
        "PREDICT USING tutorial_audio_recognition AS SELECT audio_path, n AS predicted, n AS error FROM t"
    )
    assert answer.table.column_names == ["audio_path", "predicted", "error"]
    assert answer.rows[0]["predicted"] == "heard 0.flac"
    assert "take the place of the query's 'predicted', 'error'" in answer.notices[0]


@pytest.mark.parametrize("name", ["error", "audio_path"])
async def test_a_result_column_cannot_hide_what_the_answer_needs(world: World, name: str) -> None:
    failure = await world.client.fail(
        f"PREDICT USING tutorial_audio_recognition OPTIONS (result_col='{name}') AS SELECT * FROM t"
    )
    assert failure.reason is Reason.INVALID_OPTION_VALUE


async def test_only_the_first_row_errors_are_told_and_all_are_counted(world: World) -> None:
    world.storage.put_table("bad", {"audio_path": ["x"] * 300})
    world.predictor.failures["x"] = error(Reason.AUDIO_NOT_FOUND, "no such recording")
    answer = await world.client.succeed("PREDICT USING tutorial_audio_recognition AS SELECT * FROM bad")
    assert sum(len(group.errors) for group in answer.of("row_errors")) == 100
    assert answer.done.row_errors == 300
