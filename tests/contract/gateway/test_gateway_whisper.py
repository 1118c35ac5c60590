"""Whisper through a gateway on a real port: what reaches the predictor, and what it is not for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path) as made:
        made.storage.put_table("t", {"audio_path": ["1.flac"], "text": ["a"]})
        whisper = types_pb2.ModelVersion(
            name="Whisper",
            version=1,
            kind=types_pb2.MODEL_KIND_BASE,
            family=types_pb2.MODEL_FAMILY_WHISPER,
        )
        made.storage.models["Whisper"] = made.predictor.models["Whisper"] = whisper
        yield made


@pytest.mark.parametrize(
    ("options", "wish"),
    [
        ("", ("auto", False)),
        ("OPTIONS (language='ko')", ("ko", False)),
        ("OPTIONS (language='ko', task='translate')", ("ko", True)),
    ],
)
async def test_language_and_task_reach_the_predictor(
    world: World, options: str, wish: tuple[str, bool]
) -> None:
    await world.client.succeed(f"PREDICT USING Whisper {options} AS SELECT * FROM t")
    assert world.predictor.wishes == [wish]


async def test_explain_says_what_is_spoken_and_what_is_written(world: World) -> None:
    answer = await world.client.succeed(
        "EXPLAIN PREDICT USING Whisper OPTIONS (language='ko', task='translate') AS SELECT * FROM t"
    )
    assert "with model Whisper.1 spoken in ko, translated to English" in answer.rows[-1]["what"]


@pytest.mark.parametrize("option", ["language='ko'", "task='translate'"])
async def test_explain_refuses_what_a_recogniser_cannot_be_told(world: World, option: str) -> None:
    failure = await world.client.fail(
        f"EXPLAIN PREDICT USING Wav2Vec2En OPTIONS ({option}) AS SELECT * FROM t"
    )
    assert failure.reason is Reason.INVALID_OPTION_VALUE
    assert f"takes no {option.partition('=')[0]}; that is for Whisper models" in failure.message


@pytest.mark.parametrize("verb", ["BUILD", "FIT"])
async def test_nothing_is_trained_from_whisper(world: World, verb: str) -> None:
    failure = await world.client.fail(f"{verb} MODEL m USING Whisper AS SELECT * FROM t")
    assert failure.reason is Reason.INVALID_CHECKPOINT
    assert "which is for PREDICT and EVALUATE" in failure.message
    assert world.trainer.requests == []
