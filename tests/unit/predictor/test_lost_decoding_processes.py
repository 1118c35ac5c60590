"""Decoding processes that die, hang, talk nonsense or cannot be started, and callers that leave."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from services.predictor.core.decoding.beam import processes as module
from services.predictor.core.decoding.beam.orders import CompileOrder, DecoderOrder, Message
from services.predictor.core.decoding.beam.processes import DecodingProcesses
from services.predictor.core.decoding.types import LogProbabilities
from tests.unit.predictor.test_beam_search import LETTERS, spoken
from tests.unit.predictor.test_decoding_processes import ORDER, text_of
from thanosql_runtime.errors import Reason, ThanosqlError

COMPILING = CompileOrder(path="a", folder="b", vocabulary=LETTERS, max_ngrams=1, max_bytes=1)
SILENT = "import sys; open(sys.argv[1], 'wb'); sys.stdin.buffer.read()"
READING = """
import struct, sys
while header := sys.stdin.buffer.read(12):
    if b'"compile"' in sys.stdin.buffer.read(sum(struct.unpack("<IQ", header))):
        open(sys.argv[1], "wb")
        sys.stdin.buffer.read()
    answer = b'{"hypotheses": []}'
    sys.stdout.buffer.write(struct.pack("<IQ", len(answer), 0) + answer)
    sys.stdout.buffer.flush()
"""
NONSENSE = (
    "import sys; sys.stdout.buffer.write(b'\\4' + bytes(11) + b'nono'); sys.stdout.flush(); sys.stdin.read()"
)


def of_text(text: str, *arguments: str, max_waiting: int = 4) -> DecodingProcesses:
    return DecodingProcesses(
        most=1, max_waiting=max_waiting, command=(sys.executable, "-c", text, *arguments)
    )


async def begun(pipe: Path) -> None:
    """Wait until a process has opened a pipe to write into."""
    await asyncio.to_thread(lambda: pipe.open("rb").close())


async def test_processes_that_died_idle_fail_nobody() -> None:
    processes = DecodingProcesses(most=2, max_waiting=4)
    await asyncio.gather(*(processes.decode(ORDER, spoken("ONE " * 20)) for _caller in range(2)))
    assert len(processes.running) == 2
    for number in processes.running:
        os.kill(number, signal.SIGKILL)
    assert text_of(await processes.decode(ORDER, spoken("THREE"))) == "THREE"
    await processes.close()
    assert not processes.running


@pytest.mark.parametrize("kind", ["recording", "language model"])
async def test_a_process_that_takes_too_long_is_ended_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for limit in ("_LONGEST_S", "_LONGEST_FRAME_S", "_LONGEST_COMPILING_S"):
        monkeypatch.setattr(module, limit, 0.0)
    os.mkfifo(tmp_path / "begun")
    processes = of_text(SILENT, str(tmp_path / "begun"))
    asked = processes.decode(ORDER, spoken("ONE")) if kind == "recording" else processes.compile(COMPILING)
    with pytest.raises(ThanosqlError, match=f"this {kind} did not answer within 0 s") as caught:
        await asked
    assert caught.value.reason is Reason.WORKER_LOST
    assert not processes.running


async def test_who_leaves_ends_the_reading_of_a_language_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    processes = of_text(SILENT, str(tmp_path / "begun"))
    leaving = asyncio.create_task(processes.compile(COMPILING))
    await begun(tmp_path / "begun")
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not processes.running


async def test_while_a_language_model_is_read_recordings_are_decoded(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    processes = of_text(READING, str(tmp_path / "begun"))
    reading = asyncio.create_task(processes.compile(COMPILING))
    await begun(tmp_path / "begun")
    assert await processes.decode(ORDER, spoken("ONE")) == []
    assert not reading.done()
    reading.cancel()
    await asyncio.wait([reading])
    await processes.close()


async def test_who_leaves_twice_frees_no_place_while_the_process_works(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    processes = of_text(SILENT, str(tmp_path / "begun"), max_waiting=0)
    leaving = asyncio.create_task(processes.decode(ORDER, spoken("ONE")))
    await begun(tmp_path / "begun")
    for _time in range(2):
        leaving.cancel()
        await asyncio.wait([leaving], timeout=0)
    with pytest.raises(ThanosqlError) as caught:
        await processes.decode(ORDER, spoken("TWO"))
    assert caught.value.reason is Reason.OVERLOADED
    assert len(processes.running) == 1
    await processes.close()


async def test_who_waited_when_it_closed_starts_no_process(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    processes = of_text(SILENT, str(tmp_path / "begun"))
    callers = [asyncio.create_task(processes.decode(ORDER, spoken("ONE"))) for _caller in range(3)]
    await begun(tmp_path / "begun")
    await processes.close()
    for answer in await asyncio.gather(*callers, return_exceptions=True):
        assert isinstance(answer, ThanosqlError)
        assert answer.reason is Reason.PEER_UNAVAILABLE
    assert not processes.running


async def test_an_answer_that_cannot_be_read_ends_its_process() -> None:
    processes = of_text(NONSENSE)
    with pytest.raises(ThanosqlError) as caught:
        await processes.decode(ORDER, spoken("ONE"))
    assert caught.value.reason is Reason.INTERNAL
    assert not processes.running


async def test_where_no_process_can_be_started_callers_come_back() -> None:
    processes = DecodingProcesses(most=1, max_waiting=1, command=("/nowhere/python",))
    with pytest.raises(ThanosqlError) as caught:
        await processes.decode(ORDER, spoken("ONE"))
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_delay_s


async def test_who_waits_for_a_place_holds_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = []
    pack = module.pack_decoding

    def counted(order: DecoderOrder, log_probs_fv: LogProbabilities) -> Message:
        packed.append(order)
        return pack(order, log_probs_fv)

    monkeypatch.setattr(module, "pack_decoding", counted)
    os.mkfifo(tmp_path / "begun")
    processes = of_text(SILENT, str(tmp_path / "begun"))
    callers = [asyncio.create_task(processes.decode(ORDER, spoken("ONE"))) for _caller in range(4)]
    await begun(tmp_path / "begun")
    assert len(packed) == 1
    await processes.close()
    await asyncio.gather(*callers, return_exceptions=True)
