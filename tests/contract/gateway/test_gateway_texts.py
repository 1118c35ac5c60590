"""CONVERT of texts and SEARCH TEXT through gateway, parser and storage: alone, nested, explained, refused."""

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
ANGLES = {"A BELL RINGS": 0.0, "A DOOR OPENS": 1.0, "A BELL": 0.5, "": 0.0, "bells": 0.1}
USING = "USING TextEncoder"
CONVERT = f"CONVERT {USING} OPTIONS (text_col='text', result_col='emb') AS SELECT text, audio_path FROM t"
SEARCH = f"SEARCH TEXT {USING} OPTIONS (search_input='bells', emb_col='emb')"


@dataclass(frozen=True, kw_only=True)
class Rig:
    client: Client
    predictor: FakePredictor


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    lines = ["audio_path,text", *(f"{number}.flac,{text}" for number, text in enumerate(list(ANGLES)[:4]))]
    (workspace / "spoken.csv").write_text("\n".join(lines) + "\n")
    predictor = FakePredictor()
    predictor.models["TextEncoder"] = types_pb2.ModelVersion(
        name="TextEncoder", version=1, family=types_pb2.MODEL_FAMILY_TEXT_ENCODER, origin="folder minilm"
    )
    predictor.angles.update(ANGLES)
    predictor.failures["???"] = error(Reason.TEXT_EMPTY, "the text has nothing to embed")
    async with gateway_on_storage(tmp_path, workspace, predictor) as client:
        await client.succeed("COPY t FROM 'spoken.csv'")
        yield Rig(client=client, predictor=predictor)


async def test_every_text_has_an_embedding_or_a_reason(rig: Rig) -> None:
    answer = await rig.client.succeed(CONVERT)
    assert answer.table.schema.field("emb").type == EMBEDDINGS
    assert answer.table.column_names == ["text", "audio_path", "emb", "error"]
    assert answer.rows[2]["emb"] == pytest.approx([math.cos(0.5), math.sin(0.5)])
    assert answer.rows[3]["emb"] is None
    assert answer.rows[3]["error"] == "TEXT_EMPTY: the row has no text, so it has no embedding"
    assert answer.done.message == "4 rows, embedded by TextEncoder.1 (folder minilm)"
    assert (answer.done.row_errors, answer.of("row_errors")[0].errors[0].reason) == (1, "TEXT_EMPTY")
    assert rig.predictor.rows_seen == ["A BELL RINGS", "A DOOR OPENS", "A BELL"]


async def test_a_text_that_is_too_long_fails_alone(rig: Rig) -> None:
    part = f"repeat('x', {64 << 10})"
    long = f"{' || '.join([part] * 4)} || 'x' AS text"
    query = f"CONVERT {USING} OPTIONS (text_col='text') AS SELECT {long} UNION ALL SELECT 'A BELL'"
    answer = await rig.client.succeed(query)
    assert (
        answer.rows[0]["error"]
        == "INVALID_DATA: the text has 262145 bytes, 262144 at most are taken; divide it"
    )
    assert answer.rows[1]["error"] is None
    assert len(answer.of("row_errors")[0].errors[0].subject) < 400


async def test_texts_are_searched_by_a_text(rig: Rig) -> None:
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    answer = await rig.client.succeed(f"{SEARCH} AS SELECT * FROM e")
    assert answer.table.column_names == ["text", "audio_path", "emb", "error", "search_result"]
    assert [row["text"] for row in answer.rows] == ["A BELL RINGS", "A BELL", "A DOOR OPENS"]
    scores = [row["search_result"] for row in answer.rows]
    assert scores == pytest.approx([math.cos(0.1), math.cos(0.4), math.cos(0.9)], abs=1e-6)
    assert answer.notices == ["1 row was left out: 'emb' is NULL there"]
    assert answer.done.message == "3 rows, compared by TextEncoder.1 (folder minilm)"


async def test_both_stand_where_a_table_may(rig: Rig) -> None:
    answer = await rig.client.succeed(f"SELECT text FROM ({SEARCH} AS ({CONVERT})) WHERE search_result > 0.8")
    assert [row["text"] for row in answer.rows] == ["A BELL RINGS", "A BELL"]


async def test_top_k_and_the_filters_of_the_query_narrow_it(rig: Rig) -> None:
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    best = SEARCH.replace("emb_col", "top_k=1, result_col='score', emb_col")
    answer = await rig.client.succeed(f"{best} AS SELECT * FROM e WHERE audio_path <> '0.flac'")
    assert [row["text"] for row in answer.rows] == ["A BELL"]
    assert "score" in answer.rows[0]


async def test_a_text_column_alone_is_no_embedding(rig: Rig) -> None:
    failure = await rig.client.fail(
        f"SEARCH TEXT {USING} OPTIONS (search_input='bells', text_col='text') AS SELECT * FROM t"
    )
    assert failure.reason is Reason.COLUMN_NOT_FOUND
    assert "CONVERT adds a column of embeddings" in failure.message


async def test_explain_tells_the_steps_and_embeds_no_row(rig: Rig) -> None:
    answer = await rig.client.succeed(f"EXPLAIN {SEARCH} AS ({CONVERT})")
    steps = [row["what"] for row in answer.rows]
    assert steps[1] == (
        "embed the texts in column 'text' with model TextEncoder.1, 2 numbers each, 16 rows a batch; "
        "add the columns 'emb' and 'error'"
    )
    assert steps[3] == (
        "compare the embeddings in column 'emb' with that of 'bells' by model TextEncoder.1, "
        "by comparing every row; keep the 1000 best, with their scores in column 'search_result'"
    )
    assert rig.predictor.rows_seen == ["bells"]


@pytest.mark.parametrize("explain", ["", "EXPLAIN "])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        (f"CONVERT {USING} OPTIONS (text_col='z') AS SELECT * FROM t", Reason.COLUMN_NOT_FOUND, "'z'"),
        (
            f"CONVERT {USING} OPTIONS (text_col='n') AS SELECT 1 AS n",
            Reason.INVALID_DATA,
            "'n'",
        ),
        (
            f"CONVERT {USING} OPTIONS (text_col='text', result_col='Text') AS SELECT * FROM t",
            Reason.INVALID_OPTION_VALUE,
            "'Text'",
        ),
        (
            "CONVERT USING tutorial_audio_recognition OPTIONS (text_col='text') AS SELECT * FROM t",
            Reason.INVALID_CHECKPOINT,
            "tutorial_audio_recognition",
        ),
        (
            "SEARCH TEXT USING tutorial_audio_recognition OPTIONS (search_input='a', emb_col='text')"
            " AS SELECT * FROM t",
            Reason.INVALID_CHECKPOINT,
            "tutorial_audio_recognition",
        ),
        (
            f"SEARCH TEXT {USING} OPTIONS (search_input='???', emb_col='b') AS SELECT [1, 2]::REAL[] AS b",
            Reason.TEXT_EMPTY,
            "'???'",
        ),
        (
            f"SEARCH TEXT {USING} OPTIONS (search_input='bells', emb_col='b') AS SELECT [1, 2] AS b",
            Reason.INVALID_DATA,
            "'b'",
        ),
        (
            "SEARCH TEXT USING nobody OPTIONS (search_input='a', emb_col='text') AS SELECT * FROM t",
            Reason.MODEL_NOT_FOUND,
            "nobody",
        ),
    ],
)
async def test_a_mistake_is_shown_in_its_place(
    rig: Rig, text: str, reason: Reason, at: str, nested: bool, explain: str
) -> None:
    whole = explain + (f"SELECT * FROM ({text})" if nested else text)
    failure = await rig.client.fail(whole)
    assert failure.reason is reason, failure.message
    assert failure.statement is not None
    assert whole[failure.statement.span.start : failure.statement.span.end] == at


async def test_a_model_with_embeddings_of_another_size_is_told(rig: Rig) -> None:
    rig.predictor.dimensions["TextEncoder"] = 3
    await rig.client.succeed(f"CREATE TABLE e AS {CONVERT}")
    rig.predictor.dimensions["TextEncoder"] = 2
    failure = await rig.client.fail(f"{SEARCH} AS SELECT * FROM e")
    assert failure.reason is Reason.INVALID_DATA
    assert failure.message.startswith("column 'emb' holds embeddings of 3 numbers, the model makes 2")
