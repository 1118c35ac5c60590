"""The parser behind a real server: what goes over the wire and how errors arrive."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format

from services.parser import app
from services.parser.core.parser import Parser
from services.parser.core.plan import Plan
from services.parser.servicer import ParserServicer
from services.parser.settings import ParserSettings
from thanosql.v1 import parser_pb2, parser_pb2_grpc
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import peer_errors
from thanosql_runtime.testing import peer_channel, serving

EVERY_STATEMENT = {
    "query": "SELECT * FROM t",
    "copy": "COPY t FROM 'a.csv'",
    "create_table_as": "CREATE TABLE u AS SELECT * FROM t",
    "insert": "INSERT INTO t VALUES (1)",
    "update": "UPDATE t SET a = 1 WHERE b = 2",
    "delete": "DELETE FROM t WHERE b = 2",
    "drop_table": "DROP TABLE IF EXISTS t",
    "alter_table": "ALTER TABLE t ADD COLUMN a VARCHAR",
    "print": "PRINT AUDIO AS SELECT * FROM t",
    "build_model": "BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM t",
    "predict": "PREDICT USING m AS SELECT * FROM t",
    "evaluate": "EVALUATE USING m AS SELECT * FROM t",
    "convert": "CONVERT USING m AS SELECT * FROM t",
    "search": "SEARCH KEYWORD OPTIONS(search_input='x') AS SELECT * FROM t",
    "list": "LIST MODEL",
    "get": "GET THANOSQL MODEL m",
    "upload_model": "UPLOAD MODEL m FROM 'folder'",
    "delete_model": "DELETE MODEL IF EXISTS m OPTIONS(force=True)",
    "activate_model": "ACTIVATE MODEL m.2",
    "describe_model": "DESCRIBE MODEL m",
    "show_build": "SHOW BUILD m",
    "show_model_versions": "SHOW MODEL VERSIONS m",
    "show_table_versions": "SHOW TABLE VERSIONS t",
    "restore_table": "RESTORE TABLE t TO VERSION 2",
    "show_jobs": "SHOW JOBS",
    "show_job": "SHOW JOB 'j1'",
    "cancel_job": "CANCEL JOB 'j1'",
    "resume_job": "RESUME JOB 'j1'",
    "show_transcripts": "SHOW TRANSCRIPTS",
    "delete_transcripts": "DELETE TRANSCRIPTS USING m",
    "show_loaded_models": "SHOW LOADED MODELS",
    "show_evaluations": "SHOW EVALUATIONS m",
    "unload_model": "UNLOAD MODEL m",
}


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    settings = ParserSettings()
    async with (
        serving([lambda context: app.build(settings, context)], tmp_path) as address,
        peer_channel(address) as opened,
    ):
        yield opened


async def parse(channel: grpc.aio.Channel, text: str) -> list[parser_pb2.Plan]:
    stub = parser_pb2_grpc.ParserServiceStub(channel)
    with peer_errors("parser"):
        response = await stub.Parse(parser_pb2.ParseRequest(text=text), timeout=30)
    return list(response.plans)


async def test_every_statement_of_the_contract_has_its_message(channel: grpc.aio.Channel) -> None:
    plans = await parse(channel, ";\n".join(EVERY_STATEMENT.values()))

    assert [plan.WhichOneof("statement") for plan in plans] == list(EVERY_STATEMENT)
    cases = parser_pb2.Plan.DESCRIPTOR.oneofs_by_name["statement"].fields
    assert {case.name for case in cases} == set(EVERY_STATEMENT)


async def test_a_nested_statement_arrives_as_a_plan_of_its_own(channel: grpc.aio.Channel) -> None:
    text = "SELECT predicted FROM (PREDICT USING m.2 OPTIONS(batch_size=4) AS SELECT * FROM t) p, u"

    (plan,) = await parse(channel, text)

    assert plan.query.sql == "SELECT predicted FROM (SELECT * FROM __nested_1) AS p, u"
    assert [table.text for table in plan.query.tables] == ["u"]
    (nested,) = plan.query.nested
    assert nested.relation == "__nested_1"
    assert nested.plan.predict.model.text == "m.2"
    assert nested.plan.predict.batch_size == 4
    assert nested.plan.predict.query.sql == "SELECT * FROM t"
    assert text[nested.plan.span.start : nested.plan.span.end].startswith("PREDICT USING m.2")


async def test_explain_marks_the_statement_and_keeps_its_notices(channel: grpc.aio.Channel) -> None:
    (plan,) = await parse(channel, "EXPLAIN PREDICT USING m OPTIONS(epochs=1) AS SELECT * FROM t")

    assert plan.explain
    assert plan.WhichOneof("statement") == "predict"
    assert [notice.message for notice in plan.notices] == ["option 'epochs' has no effect in PREDICT"]
    assert plan.canonical_text == "EXPLAIN PREDICT USING m AS SELECT * FROM t"


async def test_defaults_are_filled_in(channel: grpc.aio.Channel) -> None:
    (plan,) = await parse(channel, EVERY_STATEMENT["build_model"])

    options = json_format.MessageToDict(plan.build_model.options, preserving_proto_field_name=True)
    assert options == {
        "audio_col": "audio_path",
        "text_col": "text",
        "epochs": 5,
        "batch_size": 16,
        "learning_rate": 1e-4,
    }


async def test_an_error_keeps_its_place_over_the_wire(channel: grpc.aio.Channel) -> None:
    with pytest.raises(ThanosqlError) as caught:
        await parse(channel, "LIST TABLE;\nBUILD MODEL m USING b OPTIONS(\n  epoch=1) AS SELECT 1")

    failure = caught.value
    assert failure.reason is Reason.UNKNOWN_OPTION
    assert failure.statement is not None
    assert (failure.statement.span.line, failure.statement.span.column) == (3, 3)
    assert failure.statement.suggestion == "epochs"
    assert "batch_size" in failure.statement.known


async def test_space_and_comments_are_no_statement(channel: grpc.aio.Channel) -> None:
    assert await parse(channel, " -- nothing\n ; /* at all */ ;") == []


async def test_a_long_text_that_is_nested_deeply_fits_into_the_answer(channel: grpc.aio.Channel) -> None:
    text = "PREDICT USING m AS " * 16 + "SELECT '" + "x" * 900_000 + "'"

    (plan,) = await parse(channel, text)

    assert plan.canonical_text == text


async def test_a_text_of_the_largest_size_fits_into_the_answer(channel: grpc.aio.Channel) -> None:
    text = "SELECT '" + "x" * ((1 << 20) - 9) + "'"

    (plan,) = await parse(channel, text)

    assert plan.canonical_text == text


async def test_a_cancelled_call_stops_its_thread() -> None:
    asked, answer = threading.Event(), threading.Event()
    stopped: list[bool] = []

    class Waiting(Parser):
        def parse(self, text: str, *, given_up: Callable[[], bool] = bool) -> tuple[Plan, ...]:
            asked.set()
            answer.wait(timeout=30)
            stopped.append(given_up())
            return ()

    with ThreadPoolExecutor(1) as executor:
        servicer = ParserServicer(Waiting(), executor)
        call = asyncio.create_task(servicer.Parse(parser_pb2.ParseRequest(text="LIST MODEL"), None))  # type: ignore[arg-type]  # unused
        await asyncio.to_thread(asked.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        answer.set()

    assert stopped == [True]


async def test_a_text_that_is_too_large_is_refused(channel: grpc.aio.Channel) -> None:
    with pytest.raises(ThanosqlError) as caught:
        await parse(channel, "SELECT '" + "x" * (1 << 20) + "'")

    assert caught.value.reason is Reason.STATEMENT_TOO_LARGE
