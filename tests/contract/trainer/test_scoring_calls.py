"""TrainerService.Evaluate over real gRPC."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from services.trainer.app import build
from services.trainer.settings import TrainerSettings
from thanosql.v1 import trainer_pb2, trainer_pb2_grpc, types_pb2
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error, from_status
from thanosql_runtime.testing import peer_channel, serving

if TYPE_CHECKING:
    from thanosql.v1.trainer_pb2_grpc import TrainerServiceAsyncStub as Stub

Row = trainer_pb2.EvaluateRequest


@pytest.fixture
async def stub(tmp_path: Path) -> "AsyncIterator[Stub]":
    settings = TrainerSettings()
    async with (
        serving([lambda context: build(settings, context)], tmp_path) as address,
        peer_channel(address) as channel,
    ):
        stub: Stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        yield stub


async def test_counts_rows_and_leaves_failed_ones_out(stub: "Stub") -> None:
    rows = [
        Row(reference="the cat sat", hypothesis="THE CAT SAT", audio_s=2),
        Row(reference="on the mat", hypothesis="ON MAT", audio_s=1),
        Row(reference="x", hypothesis="", audio_s=9, failed=True),
        Row(reference=" ... ", hypothesis="A", audio_s=9),
    ]
    scores = (await stub.Evaluate(iter(rows))).scores

    assert (scores.rows, scores.rows_left_out, scores.audio_s) == (2, 2, 3.0)
    assert (scores.substitutions, scores.deletions, scores.insertions) == (0, 1, 0)
    assert scores.reference_words == 6
    assert scores.wer == pytest.approx(1 / 6)
    assert scores.normaliser == "upper-words-v1"


async def test_takes_more_rows_than_it_counts_at_once(stub: "Stub") -> None:
    scores = (await stub.Evaluate(Row(reference="A B", hypothesis="A") for _ in range(1000))).scores
    assert (scores.rows, scores.deletions, scores.wer) == (1000, 1000, 0.5)


@pytest.mark.parametrize("rows", [[], [Row(reference="A", failed=True)]])
async def test_no_row_to_score_is_an_error(stub: "Stub", rows: list[Row]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Evaluate(iter(rows))
    assert from_rpc_error(raised.value, "trainer").reason is Reason.NO_USABLE_ROWS


async def test_a_text_that_would_take_for_ever_is_refused(stub: "Stub") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Evaluate(iter([Row(reference="A", hypothesis="A" * 200_000)]))
    assert from_rpc_error(raised.value, "trainer").reason is Reason.INVALID_ARGUMENT


async def test_slices_and_groups_are_scored(stub: "Stub") -> None:
    rows = [
        Row(reference="A B", hypothesis="A B", slice=0, group=1),
        Row(reference="A B", hypothesis="A X", slice=0, group=2**64 - 1),
        Row(reference="A B", hypothesis="X", slice=7, group=2**64 - 1),
    ]
    response = await stub.Evaluate(iter(rows))
    assert response.scores.wer_low < response.scores.wer == 0.5 < response.scores.wer_high
    assert response.scores.cer_low < response.scores.cer < response.scores.cer_high
    first, second = response.slices
    assert (first.slice, first.scores.wer, first.scores.wer_low, first.scores.wer_high) == (0, 0.25, 0.0, 0.5)
    assert (second.slice, second.scores.wer, second.scores.rows) == (7, 1.0, 1)
    assert not second.scores.HasField("wer_low")


async def test_pairs_are_compared_each_for_itself(stub: "Stub") -> None:
    pair = trainer_pb2.TextPair
    request = trainer_pb2.CompareTextsRequest(
        pairs=[
            pair(reference="The cat sat on the mat.", hypothesis="A CAT SAT THE MAT NOW"),
            pair(reference="...", hypothesis="A"),
        ]
    )
    first, second = (await stub.CompareTexts(request)).comparisons
    assert (first.substitutions, first.deletions, first.insertions, first.reference_words) == (1, 1, 1, 6)
    assert first.difference == "[THE>A] CAT SAT [-ON] THE MAT [+NOW]"
    assert from_status(second.status).reason is Reason.TEXT_EMPTY


async def test_too_many_pairs_are_refused(stub: "Stub") -> None:
    pairs = [trainer_pb2.TextPair(reference="A", hypothesis="A")] * 65
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CompareTexts(trainer_pb2.CompareTextsRequest(pairs=pairs))
    assert from_rpc_error(caught.value, "trainer").reason is Reason.INVALID_ARGUMENT


async def test_evaluations_are_kept_and_listed(stub: "Stub") -> None:
    scores = types_pb2.Scores(wer=0.5, wer_low=0.25, wer_high=0.75, cer_low=0.0, cer_high=0.5, rows=3)
    for number in (1, 2):
        record = trainer_pb2.EvaluationRecord(
            model="m",
            version=number,
            statement="EVALUATE",
            tables=[types_pb2.TableVersion(table="t", version=3)],
            rows_mark="ab",
            scores=scores,
            elapsed_s=2.5,
        )
        request = trainer_pb2.RecordEvaluationRequest(request_id=str(number), evaluation=record)
        await stub.RecordEvaluation(request)
    newest = await stub.ListEvaluations(trainer_pb2.ListEvaluationsRequest(model="m", page_size=1))
    token = newest.next_page_token
    oldest = await stub.ListEvaluations(trainer_pb2.ListEvaluationsRequest(model="m", page_token=token))
    assert [item.version for item in (*newest.evaluations, *oldest.evaluations)] == [2, 1]
    kept = newest.evaluations[0]
    assert kept.HasField("time")
    kept.ClearField("time")
    assert kept == record
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListEvaluations(trainer_pb2.ListEvaluationsRequest(page_token="x"))
    assert from_rpc_error(caught.value, "trainer").reason is Reason.INVALID_ARGUMENT
