"""PREDICT with word times, confidence and several readings: alone, nested, stored, refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from tests.fakes.gateway_predictor import FakePredictor
from thanosql_runtime.errors import Reason, error

USING = "USING tutorial_audio_recognition"
WORD = pa.struct([("text", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])
SURE_WORD = pa.struct([*WORD, ("confidence", pa.float64())])


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "spoken.csv").write_text("audio_path,words\na.wav,1\nbad.wav,2\n")
    predictor = FakePredictor()
    predictor.failures["bad.wav"] = error(Reason.AUDIO_UNREADABLE, "not audio")
    async with gateway_on_storage(tmp_path, workspace, predictor) as client:
        await client.succeed("COPY t FROM 'spoken.csv'")
        yield client


def predict(options: str) -> str:
    return f"PREDICT {USING} OPTIONS ({options}) AS SELECT audio_path FROM t"


async def test_words_come_with_their_times(client: Client) -> None:
    answer = await client.succeed(predict("word_times=True"))
    assert answer.table.column_names == ["audio_path", "predicted", "words", "error"]
    assert answer.table.schema.field("words").type == pa.list_(WORD)
    assert answer.rows[0]["words"] == [
        {"text": "heard", "start_s": 0.0, "end_s": 1.0},
        {"text": "a.wav", "start_s": 1.0, "end_s": 2.0},
    ]
    assert (answer.rows[1]["predicted"], answer.rows[1]["words"]) == (None, None)


async def test_confidence_comes_alone_or_with_every_word(client: Client) -> None:
    alone = await client.succeed(predict("confidence=True"))
    assert alone.table.column_names == ["audio_path", "predicted", "confidence", "error"]
    assert [row["confidence"] for row in alone.rows] == [0.5, None]
    both = await client.succeed(predict("word_times=True, confidence=True"))
    assert both.table.schema.field("words").type == pa.list_(SURE_WORD)
    assert [word["confidence"] for word in both.rows[0]["words"]] == [0.5, 0.5]


async def test_readings_have_what_the_best_one_has(client: Client) -> None:
    answer = await client.succeed(predict("n_best=2"))
    assert answer.rows[0]["alternatives"] == [{"text": "heard a.wav"}, {"text": "heard a.wav 1"}]
    assert answer.rows[0]["predicted"] == "heard a.wav"
    assert answer.rows[1]["alternatives"] is None
    full = await client.succeed(predict("n_best=2, word_times=True, confidence=True"))
    second = full.rows[0]["alternatives"][1]
    assert (second["text"], second["confidence"], len(second["words"])) == ("heard a.wav 1", 0.5, 3)


async def test_words_stand_wherever_a_table_may(client: Client) -> None:
    nested = (
        f"SELECT audio_path, len(words) AS count FROM ({predict('word_times=True')}) p ORDER BY audio_path"
    )
    answer = await client.succeed(nested)
    assert answer.rows == [{"audio_path": "a.wav", "count": 2}, {"audio_path": "bad.wav", "count": None}]


@pytest.mark.parametrize("column", ["words", "Words", "error"])
async def test_a_new_column_never_takes_the_place_of_the_recordings(client: Client, column: str) -> None:
    statement = (
        f"PREDICT {USING} OPTIONS (word_times=True, audio_col='{column}') "
        f'AS SELECT audio_path AS "{column}" FROM t'
    )
    failure = await client.fail(statement)
    assert failure.reason is Reason.INVALID_OPTION_VALUE
    assert "another name in the query" in failure.message


async def test_words_can_be_stored_and_asked_for(client: Client) -> None:
    await client.succeed(f"CREATE TABLE heard AS {predict('word_times=True, confidence=True, n_best=2')}")
    answer = await client.succeed(
        "SELECT audio_path, word.text, word.start_s FROM "
        "(SELECT audio_path, unnest(words) AS word FROM heard) ORDER BY word.start_s"
    )
    assert [(row["text"], row["start_s"]) for row in answer.rows] == [("heard", 0.0), ("a.wav", 1.0)]


async def test_a_column_of_the_query_gives_way_and_the_answer_says_so(client: Client) -> None:
    statement = f"PREDICT {USING} OPTIONS (word_times=True) AS SELECT * FROM t"
    answer = await client.succeed(statement)
    assert answer.table.column_names == ["audio_path", "predicted", "words", "error"]
    assert any("'words'" in notice.message for notice in answer.of("notice"))


async def test_the_result_cannot_have_the_name_of_another_added_column(client: Client) -> None:
    failure = await client.fail(predict("word_times=True, result_col='Words'"))
    assert failure.reason is Reason.INVALID_OPTION_VALUE
