"""CONVERT and SEARCH AUDIO through gateway, parser and storage: alone, nested, explained, refused."""

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from tests.fakes.gateway_predictor import FakePredictor
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error

EMBEDDINGS = pa.list_(pa.float32(), 2)
ANGLES = {"clips/0.flac": 0.0, "clips/1.flac": 1.0, "clips/2.flac": 0.5, "clips/3.flac": 2.0}
USING = "USING tutorial_audio_recognition"
CONVERT = f"CONVERT {USING} OPTIONS (result_col='emb') AS SELECT audio_path FROM t"
LISTS = "SELECT [1, 2]::REAL[] AS b"
SEARCH = f"SEARCH AUDIO {USING} OPTIONS (search_input='clips/0.flac', emb_col='emb')"


@dataclass(frozen=True, kw_only=True)
class Rig:
    client: Client
    predictor: FakePredictor


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    lines = ["audio_path,text,error", *(f"{path},TEXT,none" for path in ANGLES)]
    (workspace / "spoken.csv").write_text("\n".join(lines) + "\n")
    predictor = FakePredictor()
    predictor.angles.update(ANGLES)
    predictor.failures["clips/3.flac"] = error(Reason.AUDIO_UNREADABLE, "not audio")
    predictor.failures["gone.wav"] = error(Reason.AUDIO_NOT_FOUND, "there is no recording at 'gone.wav'")
    async with gateway_on_storage(tmp_path, workspace, predictor) as client:
        await client.succeed("COPY t FROM 'spoken.csv'")
        yield Rig(client=client, predictor=predictor)


async def test_every_recording_has_an_embedding_or_a_reason(rig: Rig) -> None:
    answer = await rig.client.succeed(CONVERT)
    assert answer.table.schema.field("emb").type == EMBEDDINGS
    assert answer.table.column_names == ["audio_path", "emb", "error"]
    assert [row["audio_path"] for row in answer.rows] == list(ANGLES)
    assert answer.rows[2]["emb"] == pytest.approx([math.cos(0.5), math.sin(0.5)])
    assert answer.rows[3]["emb"] is None
    assert answer.rows[3]["error"] == "AUDIO_UNREADABLE: not audio"
    assert answer.of("row_errors")[0].errors[0].subject == "clips/3.flac"
    assert answer.done.message == "4 rows, embedded by tutorial_audio_recognition.1"
    assert answer.done.row_errors == 1
    assert {progress.stage for progress in answer.of("progress")} == {"embedding"}


async def test_columns_of_the_names_of_the_added_ones_are_replaced(rig: Rig) -> None:
    answer = await rig.client.succeed(f"CONVERT {USING} OPTIONS (result_col='TEXT') AS SELECT * FROM t")
    assert answer.table.column_names == ["audio_path", "TEXT", "error"]
    assert answer.notices[0].startswith("the new columns take the place of the query's 'text', 'error'")


async def test_no_rows_give_the_columns_alone(rig: Rig) -> None:
    answer = await rig.client.succeed(f"{CONVERT} WHERE audio_path = ''")
    assert answer.table.num_rows == 0
    assert answer.table.schema.field("emb").type == EMBEDDINGS


async def test_embeddings_are_kept_in_a_table_and_searched(rig: Rig) -> None:
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    columns = {row["name"]: row["columns"] for row in (await rig.client.succeed("LIST TABLE")).rows}
    assert "emb fixed_size_list<item: float>[2]" in columns["e"]
    assert (await rig.client.succeed("SELECT * FROM e")).table.schema.field("emb").type == EMBEDDINGS
    answer = await rig.client.succeed(f"{SEARCH} AS SELECT * FROM e")
    assert answer.table.column_names == ["audio_path", "emb", "error", "search_result"]
    assert [row["audio_path"] for row in answer.rows] == ["clips/0.flac", "clips/2.flac", "clips/1.flac"]
    scores = [row["search_result"] for row in answer.rows]
    assert scores == pytest.approx([1.0, math.cos(0.5), math.cos(1.0)], abs=1e-6)
    assert answer.notices == ["1 row was left out: 'emb' is NULL there"]
    assert answer.done.message == "3 rows, compared by tutorial_audio_recognition.1"
    assert answer.done.model.name == "tutorial_audio_recognition"


async def test_a_table_with_embeddings_changes_like_any_other(rig: Rig) -> None:
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    await rig.client.succeed("UPDATE e SET error = 'gone' WHERE emb IS NULL")
    await rig.client.succeed("INSERT INTO e SELECT * FROM e WHERE emb IS NOT NULL")
    await rig.client.succeed("DELETE FROM e WHERE error IS NOT NULL")
    await rig.client.succeed("ALTER TABLE e RENAME COLUMN emb TO heard")
    sql = (
        "SEARCH AUDIO USING tutorial_audio_recognition OPTIONS (search_input='clips/1.flac', emb_col='heard')"
    )
    answer = await rig.client.succeed(f"{sql} AS SELECT * FROM e")
    assert [row["audio_path"] for row in answer.rows][:3] == ["clips/1.flac", "clips/1.flac", "clips/2.flac"]


async def test_both_stand_where_a_table_may(rig: Rig) -> None:
    found = f"({SEARCH} AS ({CONVERT}))"
    answer = await rig.client.succeed(f"SELECT audio_path FROM {found} WHERE search_result > 0.8")
    assert [row["audio_path"] for row in answer.rows] == ["clips/0.flac", "clips/2.flac"]
    answer = await rig.client.succeed(f"SELECT len(emb) AS n, error FROM ({CONVERT}) ORDER BY n")
    assert [row["n"] for row in answer.rows] == [2, 2, 2, None]


async def test_top_k_and_the_filters_of_the_query_narrow_it(rig: Rig) -> None:
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    best = SEARCH.replace("emb_col", "top_k=1, result_col='score', emb_col")
    answer = await rig.client.succeed(f"{best} AS SELECT * FROM e WHERE audio_path <> 'clips/0.flac'")
    assert [row["audio_path"] for row in answer.rows] == ["clips/2.flac"]
    assert "score" in answer.rows[0]


async def test_explain_tells_the_steps_and_embeds_no_row(rig: Rig) -> None:
    answer = await rig.client.succeed(f"EXPLAIN CREATE TABLE found AS {SEARCH} AS ({CONVERT})")
    steps = [row["what"] for row in answer.rows]
    assert steps[1] == (
        "embed the recordings in column 'audio_path' with model tutorial_audio_recognition.1, "
        "2 numbers each, 16 rows a batch; add the columns 'emb' and 'error'"
    )
    assert steps[3] == (
        "compare the embeddings in column 'emb' with that of 'clips/0.flac' "
        "by model tutorial_audio_recognition.1, by comparing every row; keep the 1000 best, "
        "with their scores in column 'search_result'"
    )
    assert rig.predictor.rows_seen == ["clips/0.flac"]


@pytest.mark.parametrize("explain", ["", "EXPLAIN "])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        (f"CONVERT {USING} OPTIONS (audio_col='z') AS SELECT * FROM t", Reason.COLUMN_NOT_FOUND, "'z'"),
        (
            f"CONVERT {USING} OPTIONS (result_col='error') AS SELECT * FROM t",
            Reason.INVALID_OPTION_VALUE,
            "'error'",
        ),
        ("CONVERT USING nobody AS SELECT * FROM t", Reason.MODEL_NOT_FOUND, "nobody"),
        ("CONVERT USING tutorial_audio_recognition AS SELECT * FROM u", Reason.TABLE_NOT_FOUND, "u"),
        (f"{SEARCH} AS SELECT * FROM t", Reason.COLUMN_NOT_FOUND, "'emb'"),
        (f"{SEARCH.replace('emb_col', 'result_col')} AS {CONVERT}", Reason.COLUMN_NOT_FOUND, None),
        (
            f"SEARCH AUDIO {USING} OPTIONS (search_input='a', emb_col='text') AS SELECT * FROM t",
            Reason.INVALID_DATA,
            "'text'",
        ),
        (
            f"SEARCH AUDIO {USING} OPTIONS (search_input='a', emb_col='b', result_col='B') AS SELECT 1 AS b",
            Reason.INVALID_OPTION_VALUE,
            "'B'",
        ),
        (
            f"SEARCH AUDIO {USING} OPTIONS (search_input='a', emb_col='b') AS SELECT [1, 2] AS b",
            Reason.INVALID_DATA,
            "'b'",
        ),
        (
            f"SEARCH AUDIO {USING} OPTIONS (search_input='gone.wav', emb_col='b') AS {LISTS}",
            Reason.AUDIO_NOT_FOUND,
            "'gone.wav'",
        ),
        (
            "SEARCH AUDIO USING nobody OPTIONS (search_input='a', emb_col='text') AS SELECT * FROM t",
            Reason.MODEL_NOT_FOUND,
            "nobody",
        ),
    ],
)
async def test_a_mistake_is_shown_in_its_place(
    rig: Rig, text: str, reason: Reason, at: str | None, nested: bool, explain: str
) -> None:
    whole = explain + (f"SELECT * FROM ({text})" if nested else text)
    failure = await rig.client.fail(whole)
    assert failure.reason is reason, failure.message
    assert failure.statement is not None
    if at is not None:
        assert whole[failure.statement.span.start : failure.statement.span.end] == at


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        (f"SEARCH AUDIO {USING} OPTIONS (search_by='text', search_input='b') AS SELECT * FROM t", "PREDICT"),
        (f"SEARCH TEXT {USING} OPTIONS (search_by='audio', search_input='b') AS SELECT * FROM t", "PREDICT"),
    ],
)
async def test_what_no_model_can_do_says_what_to_use(rig: Rig, text: str, instead: str) -> None:
    failure = await rig.client.fail(text)
    assert failure.reason is Reason.NOT_AVAILABLE_YET
    assert instead in failure.message


async def test_a_model_with_embeddings_of_another_size_is_told(rig: Rig) -> None:
    rig.predictor.models["other"] = types_pb2.ModelVersion(name="other", version=1)
    rig.predictor.dimensions["other"] = 3
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    failure = await rig.client.fail(
        "SEARCH AUDIO USING other OPTIONS (search_input='a', emb_col='emb') AS SELECT * FROM e"
    )
    assert failure.reason is Reason.INVALID_DATA
    assert failure.message.startswith("column 'emb' holds embeddings of 2 numbers, the model makes 3")
