"""PREDICT with transcripts that are kept, and of what is new: which rows, and what is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from tests.fakes.gateway_predictor import FakePredictor
from thanosql.v1 import predictor_pb2
from thanosql_runtime.errors import Reason, error

MODEL = "tutorial_audio_recognition"
PREDICT = f"PREDICT USING {MODEL}"
NEW = f"{PREDICT} OPTIONS(only_new=True)"


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor()


@pytest.fixture
async def client(tmp_path: Path, predictor: FakePredictor) -> AsyncIterator[Client]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    rows = "\n".join(f"{number:02}.flac,TEXT {number},1.5" for number in range(30))
    (workspace / "t.csv").write_text(f"audio_path,text,duration\n{rows}\n")
    async with gateway_on_storage(tmp_path, workspace, predictor) as made:
        await made.succeed("COPY t FROM 't.csv'")
        yield made


def paths(*numbers: int) -> list[str]:
    return [f"{number:02}.flac" for number in numbers]


async def test_a_prediction_takes_what_is_kept_and_says_how_much(
    client: Client, predictor: FakePredictor
) -> None:
    predictor.kept = set(paths(3, 4))
    answer = await client.succeed(f"{PREDICT} AS SELECT * FROM t")
    assert [row["audio_path"] for row in answer.rows] == paths(*range(30))
    assert answer.done.rows_reused == 2
    assert answer.done.message == f"30 rows, transcribed by {MODEL}.1; 2 transcripts were kept from before"


async def test_a_table_made_of_what_is_kept_says_so(client: Client, predictor: FakePredictor) -> None:
    predictor.kept = set(paths(7))
    answer = await client.succeed(f"CREATE TABLE p AS {PREDICT} AS SELECT * FROM t")
    assert answer.done.message == "table 'p' made with 30 rows; 1 transcript was kept from before"
    assert (answer.done.rows_changed, answer.done.rows_reused) == (30, 1)


@pytest.mark.parametrize(
    ("statement", "asked"),
    [
        (PREDICT, True),
        (f"{PREDICT} OPTIONS(reuse=False)", False),
        (f"{PREDICT} OPTIONS(reuse=False, only_new=True)", True),
        (f"EVALUATE USING {MODEL}", False),
        (f"EVALUATE USING {MODEL} OPTIONS(reuse=True)", True),
    ],
)
async def test_evaluate_computes_anew_and_predict_does_not_unless_told(
    client: Client, predictor: FakePredictor, statement: str, asked: bool
) -> None:
    await client.run(f"{statement} AS SELECT * FROM t LIMIT 2")
    assert predictor.reuse_asked == [asked]


async def test_only_new_leaves_out_what_was_heard_before_and_keeps_what_failed(
    client: Client, predictor: FakePredictor
) -> None:
    predictor.kept = set(paths(*range(1, 28)))
    predictor.failures = {"29.flac": error(Reason.AUDIO_UNREADABLE, "no audio")}
    answer = await client.succeed(f"{NEW} AS SELECT * FROM t")
    assert [(row["audio_path"], row["predicted"]) for row in answer.rows] == [
        ("00.flac", "heard 00.flac"), ("28.flac", "heard 28.flac"), ("29.flac", None),
    ]  # fmt: skip
    assert answer.done.message == f"3 rows, transcribed by {MODEL}.1; 27 rows are not new"
    assert answer.done.rows_reused == 0


async def test_only_new_may_answer_no_row(client: Client, predictor: FakePredictor) -> None:
    predictor.kept = set(paths(*range(30)))
    answer = await client.succeed(f"{NEW} AS SELECT audio_path FROM t")
    assert answer.table.column_names == ["audio_path", "predicted", "error"]
    assert answer.rows == []


async def test_an_insert_of_what_is_new_asks_the_table_and_not_what_is_kept(
    client: Client, predictor: FakePredictor
) -> None:
    await client.succeed(f"CREATE TABLE p AS {PREDICT} AS SELECT * FROM t WHERE audio_path < '20'")
    predictor.kept = set(paths(*range(30)))
    predictor.rows_seen.clear()
    answer = await client.succeed(f"INSERT INTO p {NEW} AS SELECT * FROM t ORDER BY audio_path DESC")
    assert answer.done.message == "10 rows inserted into 'p'; 10 transcripts were kept from before"
    assert predictor.rows_seen == paths(*range(29, 19, -1)), "asked in the order of the query"
    assert answer.of("progress")[-1].total == 10
    again = await client.succeed(f"INSERT INTO p {NEW} AS SELECT * FROM t")
    assert again.done.rows_changed == 0
    counted = await client.succeed("SELECT count(*) AS n, count(DISTINCT audio_path) AS m FROM p")
    assert counted.rows == [{"n": 30, "m": 30}]


async def test_an_insert_of_what_is_new_knows_rows_without_a_path_by_that(client: Client) -> None:
    await client.succeed("INSERT INTO t (audio_path) VALUES (NULL), ('30.flac')")
    await client.succeed(f"CREATE TABLE p AS {PREDICT} AS SELECT * FROM t")
    assert (await client.succeed(f"INSERT INTO p {NEW} AS SELECT * FROM t")).done.rows_changed == 0


async def test_an_insert_of_what_is_new_may_stand_in_a_query(client: Client) -> None:
    await client.succeed("CREATE TABLE heard AS SELECT audio_path, text AS words FROM t LIMIT 12")
    answer = await client.succeed(
        f"INSERT INTO heard SELECT audio_path, upper(predicted) FROM ({NEW} AS SELECT * FROM t) "
        "WHERE predicted IS NOT NULL"
    )
    assert answer.done.rows_changed == 18


async def test_a_new_table_cannot_have_only_new_rows(client: Client) -> None:
    text = f"CREATE OR REPLACE TABLE p AS {NEW} AS SELECT * FROM t"
    for prefix in ("", "EXPLAIN "):
        failure = await client.fail(prefix + text)
        assert failure.reason is Reason.INVALID_OPTION_VALUE
        assert failure.statement is not None
        assert (prefix + text)[failure.statement.span.start :].startswith("PREDICT")


async def test_a_table_without_the_column_cannot_tell_what_is_new(client: Client) -> None:
    await client.succeed("CREATE TABLE p AS SELECT text AS predicted FROM t LIMIT 0")
    failure = await client.fail(f"INSERT INTO p SELECT predicted FROM ({NEW} AS SELECT * FROM t)")
    assert (failure.reason, failure.metadata["column"]) == (Reason.COLUMN_NOT_FOUND, "audio_path")


async def test_where_nothing_is_kept_nobody_can_tell_what_is_new_but_a_table(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "t.csv").write_text("audio_path\n0.flac\n")
    async with gateway_on_storage(tmp_path, workspace, transcript_bytes=0) as client:
        await client.succeed("COPY t FROM 't.csv'")
        failure = await client.fail(f"{NEW} AS SELECT * FROM t")
        assert failure.reason is Reason.INVALID_OPTION_VALUE
        assert "THANOSQL_STORAGE__TRANSCRIPT_BYTES" in failure.message
        shown = await client.succeed("SHOW TRANSCRIPTS")
        assert (shown.rows, len(shown.notices)) == ([], 1)
        await client.succeed(f"CREATE TABLE p AS {PREDICT} AS SELECT * FROM t LIMIT 0")
        assert (await client.succeed(f"INSERT INTO p {NEW} AS SELECT * FROM t")).done.rows_changed == 1


class TwoAtOnce(FakePredictor):
    """Ends no stream before there are two, once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier: asyncio.Barrier | None = None

    async def Transcribe(
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[predictor_pb2.TranscribeResponse]:
        async for response in super().Transcribe(request_iterator, context):
            yield response
        if self.barrier is not None:
            await self.barrier.wait()


async def test_of_two_inserts_of_what_is_new_at_once_one_adds_the_rows(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "t.csv").write_text("audio_path\n0.flac\n1.flac\n")
    predictor = TwoAtOnce()
    async with gateway_on_storage(tmp_path, workspace, predictor) as client:
        await client.succeed("COPY t FROM 't.csv'")
        await client.succeed(f"CREATE TABLE p AS {PREDICT} AS SELECT * FROM t LIMIT 1")
        predictor.barrier = asyncio.Barrier(2)
        insert = f"INSERT INTO p {NEW} AS SELECT * FROM t"
        answers = await asyncio.gather(client.run(insert), client.run(insert))
        (failure,) = [answer.failure for answer in answers if answer.failure is not None]
        assert (failure.reason, failure.metadata["table"]) == (Reason.CONFLICT, "p")
        assert (await client.succeed("SELECT audio_path FROM p ORDER BY 1")).rows == [
            {"audio_path": "0.flac"}, {"audio_path": "1.flac"},
        ]  # fmt: skip
        predictor.barrier = None
        assert (await client.succeed(insert)).done.rows_changed == 0
