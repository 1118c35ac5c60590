"""Options of a beam search, through a gateway on a real port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error

OPTIONS = "OPTIONS (language_model='lm/a.arpa', lm_weight=0.7, hotwords=['refund', ['charge back', 4]])"
PREDICT = f"PREDICT USING Wav2Vec2En {OPTIONS} AS SELECT * FROM t"
EVALUATE = f"EVALUATE USING Wav2Vec2En {OPTIONS} AS SELECT audio_path, audio_path AS text FROM t"
SEARCH = types_pb2.BeamSearch(
    language_model="lm/a.arpa",
    lm_weight=0.7,
    beam_width=64,
    hotwords=[
        types_pb2.Hotword(phrase="refund", weight=8),
        types_pb2.Hotword(phrase="charge back", weight=4),
    ],
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path) as made:
        made.storage.put_table("t", {"audio_path": ["a.flac", "b.flac"]})
        made.predictor.models["Wav2Vec2En"] = types_pb2.ModelVersion(name="Wav2Vec2En", version=1)
        yield made


@pytest.mark.parametrize("statement", [PREDICT, EVALUATE], ids=["predict", "evaluate"])
async def test_a_search_reaches_the_predictor_as_it_was_asked_for(world: World, statement: str) -> None:
    await world.client.succeed(statement)
    assert [config.beam_search for config in world.predictor.configs] == [SEARCH]


async def test_without_options_nothing_is_searched(world: World) -> None:
    await world.client.succeed("PREDICT USING Wav2Vec2En AS SELECT * FROM t")
    assert not world.predictor.configs[0].HasField("beam_search")


@pytest.mark.parametrize("statement", [PREDICT, EVALUATE], ids=["predict", "evaluate"])
async def test_explain_has_the_search_made_ready_and_tells_it(world: World, statement: str) -> None:
    answer = await world.client.succeed(f"EXPLAIN {statement}")
    steps = " ".join(str(row["what"]) for row in answer.rows)
    assert "by a search of 64 texts, language model 'lm/a.arpa' with weight 0.7, 2 hotwords" in steps
    assert [config.beam_search for config in world.predictor.configs] == [SEARCH]
    assert not world.predictor.rows_seen


@pytest.mark.parametrize("before", ["", "EXPLAIN "])
@pytest.mark.parametrize("statement", [PREDICT, EVALUATE], ids=["predict", "evaluate"])
async def test_a_language_model_at_fault_is_pointed_at(world: World, before: str, statement: str) -> None:
    fault = error(Reason.INVALID_DATA, "line 3: no", value="lm/a.arpa")
    world.predictor.language_models_at_fault["lm/a.arpa"] = fault
    text = before + statement
    failure = await world.client.fail(text)
    assert failure.reason is Reason.INVALID_DATA
    assert failure.statement is not None
    span = failure.statement.span
    assert text[span.start : span.end] == "'lm/a.arpa'"
    assert not world.predictor.rows_seen
