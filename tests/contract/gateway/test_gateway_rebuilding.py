"""SHOW BUILD through a gateway on a real port: the statement runs, and makes the job that it tells of."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason

BUILD = "BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=2) AS SELECT * FROM t"
OPTIONS = {
    "audio_col": "audio_path",
    "text_col": "text",
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 1e-05,
    "overwrite": False,
    "seed": None,
}
MADE = {"statement": BUILD, "options": json.dumps(OPTIONS), "seed": "7"}
AGAIN = (
    "BUILD MODEL m USING Wav2Vec2En.1 OPTIONS(audio_col='audio_path', text_col='text', epochs=2, "
    "batch_size=16, learning_rate=1e-05, overwrite=True, seed=7) AS SELECT * FROM t AT VERSION 3"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path) as made:
        made.storage.put_table("t", {"audio_path": ["a.flac"], "text": ["a"]})
        yield made


def remember(world: World, properties: Mapping[str, str], **others: str) -> None:
    world.storage.models["m"] = types_pb2.ModelVersion(
        **{"name": "m", "version": 2, "kind": types_pb2.MODEL_KIND_TRAINED, "base": "Wav2Vec2En.1", **others},
        properties=properties,
        built_from=[types_pb2.TableVersion(table="t", version=3)],
    )


async def test_the_statement_names_all_that_was_used_and_runs(world: World) -> None:
    remember(world, MADE)
    answer = await world.client.succeed("SHOW BUILD m.2")
    assert answer.rows == [{"statement": AGAIN}]
    assert answer.notices == []
    assert answer.done.message == "this makes m.2 again, as a new version"
    await world.client.succeed(AGAIN)
    request = world.trainer.requests[0]
    assert (request.base, request.options.seed, request.options.learning_rate) == ("Wav2Vec2En.1", 7, 1e-05)
    assert [(item.table, item.version) for item in request.built_from] == [("t", 3)]


async def test_what_a_model_of_long_ago_does_not_tell_is_said(world: World) -> None:
    remember(world, {"statement": BUILD})
    answer = await world.client.succeed("SHOW BUILD m")
    assert answer.rows[0]["statement"].endswith(
        "learning_rate=0.0001, overwrite=True) AS SELECT * FROM t AT VERSION 3"
    )
    assert answer.notices == [
        "the options were not recorded: those that the statement lacked are today's defaults",
        "the seed was not recorded: the trainer's own is taken",
    ]


async def test_what_keeps_the_statement_from_running_is_said(world: World) -> None:
    remember(world, MADE)
    del world.storage.tables["t"]
    answer = await world.client.succeed("SHOW BUILD m")
    assert answer.rows == [{"statement": AGAIN}]
    assert answer.notices == ["it would not run now: table 't' does not exist"]


async def test_a_fit_stays_a_fit(world: World) -> None:
    remember(
        world, {**MADE, "statement": 'FIT MODEL "a-b" USING "old-one" AS SELECT * FROM t'}, base="old-one.4"
    )
    statement = (await world.client.succeed("SHOW BUILD m")).rows[0]["statement"]
    assert statement.startswith('FIT MODEL "a-b" USING "old-one".4 OPTIONS(')


async def test_an_uploaded_model_tells_its_upload(world: World) -> None:
    remember(world, {"statement": "UPLOAD MODEL m FROM 'uploads/it''s'"}, base="")
    answer = await world.client.succeed("SHOW BUILD m")
    assert answer.rows == [{"statement": "UPLOAD MODEL m OPTIONS(overwrite=True) FROM 'uploads/it''s'"}]
    assert answer.notices[0] == "what is in the folder 'uploads/it's' now would be brought"


async def test_a_base_has_no_statement(world: World) -> None:
    failure = await world.client.fail("SHOW BUILD Wav2Vec2En")
    assert failure.reason is Reason.INVALID_ARGUMENT
    assert "it came with the system" in failure.message


async def test_a_seed_goes_to_the_trainer_and_its_absence_too(world: World) -> None:
    await world.client.succeed(f"{BUILD}; {BUILD.replace('epochs=2', 'seed=0, overwrite=True')}")
    assert [
        request.options.seed if request.options.HasField("seed") else None
        for request in world.trainer.requests
    ] == [None, 0]


async def test_explain_names_the_model_and_finds_one_that_is_not_there(world: World) -> None:
    remember(world, MADE)
    assert (await world.client.succeed("EXPLAIN SHOW BUILD m")).rows[0]["what"] == "show build of m"
    assert (await world.client.fail("SHOW BUILD nobody")).reason is Reason.MODEL_NOT_FOUND
