"""Who goes first in the queue before a model: live audio, but recordings are not starved."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_manner import EngineOptions, torch_policy
from services.predictor.core.waiting import Urgency, Waiting, WaitingRoom
from tests.fakes.predictor_engine import SINGLES

FOURS = BatchPolicy(max_batch_size=4, max_queue_delay_s=0.0, bucket_samples=1000, pipeline_depth=1)


def room_with(policy: BatchPolicy, *urgencies: Urgency) -> WaitingRoom[list[int]]:
    room: WaitingRoom[list[int]] = WaitingRoom(policy, 100)
    for since_s, urgency in enumerate(urgencies):
        add(room, urgency, float(since_s))
    return room


def add(room: WaitingRoom[list[int]], urgency: Urgency, since_s: float = 0.0) -> None:
    answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    window = np.zeros(10, dtype=np.float32)
    room.add(Waiting(window=window, since_s=since_s, deadline_s=None, answer=answer, urgency=urgency))


def order(room: WaitingRoom[list[int]]) -> list[list[str]]:
    batches = []
    while batch := room.take(100.0):
        batches.append([waiting.urgency.name for waiting in batch])
    return batches


async def test_final_results_go_first_then_interim_ones_then_recordings() -> None:
    room = room_with(SINGLES, Urgency.RECORDING, Urgency.INTERIM, Urgency.RECORDING, Urgency.FINAL)
    assert order(room) == [["FINAL"], ["INTERIM"], ["RECORDING"], ["RECORDING"]]


async def test_live_audio_shares_batches_with_live_audio_alone() -> None:
    room = room_with(FOURS, Urgency.RECORDING, Urgency.INTERIM, Urgency.FINAL, Urgency.RECORDING)
    assert order(room) == [["FINAL", "INTERIM"], ["RECORDING", "RECORDING"]]


async def test_where_an_answer_may_depend_on_its_batch_live_audio_goes_alone_and_at_once() -> None:
    policy = replace(FOURS, live_alone=True, max_queue_delay_s=1000.0)
    room = room_with(policy, *[Urgency.RECORDING] * 4, Urgency.INTERIM, Urgency.FINAL, Urgency.FINAL)
    assert order(room) == [["FINAL"], ["FINAL"], ["INTERIM"], ["RECORDING"] * 4]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_live_audio_goes_alone_through_torch(device: str, dtype: str) -> None:
    assert torch_policy(EngineOptions(device=device, dtype=dtype)).live_alone


async def test_a_full_batch_leaves_out_the_least_urgent() -> None:
    room = room_with(FOURS, *[Urgency.INTERIM] * 4, Urgency.FINAL)
    assert order(room)[0] == ["FINAL", "INTERIM", "INTERIM", "INTERIM"]


async def test_a_recording_has_its_turn_however_much_is_said() -> None:
    room = room_with(SINGLES, Urgency.RECORDING)
    taken = []
    for _ in range(20):
        add(room, Urgency.INTERIM)
        taken += [waiting.urgency for waiting in room.take(100.0)]
    assert taken.index(Urgency.RECORDING) == 8
