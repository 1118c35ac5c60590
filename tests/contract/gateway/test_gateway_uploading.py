"""UPLOAD MODEL through a gateway on a real port, and what may be built from what was uploaded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error

UPLOAD = "UPLOAD MODEL mine FROM 'uploads/hubert'"
TAKEN = types_pb2.ModelVersion(name="taken", version=1, kind=types_pb2.MODEL_KIND_TRAINED)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path) as made:
        yield made


async def test_an_upload_answers_with_the_card_of_the_model(world: World) -> None:
    answer = await world.client.succeed(UPLOAD)
    card = answer.rows[0]
    assert (card["model"], card["version"], card["architecture"]) == ("mine", 1, "hubert")
    assert (card["parameters"], card["labels"], card["sample_rate_hz"]) == (94_000_000, 32, 16_000)
    assert card["size_bytes"] == 4_096
    assert answer.done.message == "model 'mine' version 1 made from 'uploads/hubert'"
    assert answer.done.model.name == "mine"
    request = world.trainer.uploads[0]
    assert (request.path, request.statement) == ("uploads/hubert", UPLOAD)
    assert (request.overwrite, request.explain_only) == (False, False)


async def test_the_same_request_id_asks_for_the_same_version(world: World) -> None:
    for request_id in ("one", "one", "two"):
        assert (await world.client.run(UPLOAD, request_id)).failure is None
    ids = [request.request_id for request in world.trainer.uploads]
    assert ids[0] == ids[1] != ids[2]


async def test_explain_says_what_it_is_and_stores_nothing(world: World) -> None:
    answer = await world.client.succeed(f"EXPLAIN {UPLOAD}")
    steps = [row["what"] for row in answer.rows]
    assert "4,096 bytes, whose configuration says hubert with 32 labels" in steps[0]
    assert steps[-1] == "register it as the active version of model 'mine'"
    assert [request.explain_only for request in world.trainer.uploads] == [True]


async def test_a_refused_checkpoint_is_shown_at_its_path(world: World) -> None:
    world.trainer.refuses_with = error(Reason.INVALID_CHECKPOINT, "it lacks config.json")
    failure = await world.client.fail(UPLOAD)
    assert (failure.reason, failure.message) == (Reason.INVALID_CHECKPOINT, "it lacks config.json")
    assert failure.statement is not None
    span = failure.statement.span
    assert UPLOAD[span.start : span.end] == "'uploads/hubert'"


@pytest.mark.parametrize("name", ["Wav2Vec2En", "taken"])
async def test_a_name_that_is_taken_is_refused_before_anything_is_read(world: World, name: str) -> None:
    world.storage.models["taken"] = TAKEN
    failure = await world.client.fail(f"UPLOAD MODEL {name} FROM 'uploads/hubert'")
    assert failure.reason is Reason.MODEL_ALREADY_EXISTS
    assert world.trainer.uploads == []


async def test_overwriting_makes_a_new_version_but_never_of_a_base(world: World) -> None:
    world.storage.models["taken"] = TAKEN
    options = "OPTIONS (overwrite=True)"
    await world.client.succeed(f"UPLOAD MODEL taken {options} FROM 'uploads/hubert'")
    assert world.trainer.uploads[0].overwrite
    failure = await world.client.fail(f"UPLOAD MODEL Wav2Vec2En {options} FROM 'uploads/hubert'")
    assert failure.reason is Reason.MODEL_ALREADY_EXISTS


async def test_what_was_uploaded_can_be_built_from(world: World) -> None:
    world.storage.put_table("t", {"audio_path": ["1.flac"], "text": ["a"]})
    world.storage.models["mine"] = types_pb2.ModelVersion(
        name="mine", version=1, kind=types_pb2.MODEL_KIND_UPLOADED, origin="uploaded uploads/hubert"
    )
    answer = await world.client.succeed("BUILD MODEL m USING mine AS SELECT * FROM t")
    assert answer.notices == ["training starts from mine.1: uploaded uploads/hubert"]
    assert world.trainer.requests[0].base == "mine.1"
