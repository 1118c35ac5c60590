"""The processes that search: real ones, killed ones, and the language models that they are given."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from services.predictor.core.decoding.beam.decoder import BeamSize
from services.predictor.core.decoding.beam.decoding import BeamDecoding
from services.predictor.core.decoding.beam.fusion import FusionWeights
from services.predictor.core.decoding.beam.language_models import LanguageModelLimits, LanguageModels
from services.predictor.core.decoding.beam.options import BeamOptions, Hotword
from services.predictor.core.decoding.beam.orders import CompileOrder, DecoderOrder
from services.predictor.core.decoding.beam.processes import DecodingProcesses
from services.predictor.core.decoding.beam.worker import compile_model
from services.predictor.core.decoding.types import Hypothesis
from tests.fakes.language_models import SMALL_ARPA, arpa_of
from tests.unit.predictor.test_beam_search import LETTERS, spoken
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError

ORDER = DecoderOrder(vocabulary=LETTERS, size=BeamSize(), weights=FusionWeights())
ENDING = (sys.executable, "-c", "import sys; sys.stdin.buffer.read(4)")
HELD = """
import struct, sys
while header := sys.stdin.buffer.read(12):
    sys.stdin.buffer.read(sum(struct.unpack("<IQ", header)))
    open(sys.argv[1]).read()
    answer = b'{"hypotheses": []}'
    sys.stdout.buffer.write(struct.pack("<IQ", len(answer), 0) + answer)
    sys.stdout.buffer.flush()
"""
LIMITS = LanguageModelLimits(max_bytes=1 << 20, max_ngrams=1000, cache_bytes=1 << 20)


def text_of(hypotheses: list[Hypothesis]) -> str:
    return LETTERS.decode([heard.label for heard in hypotheses[0].labels])


@pytest.fixture
async def processes() -> AsyncIterator[DecodingProcesses]:
    running = DecodingProcesses(most=1, max_waiting=2)
    yield running
    await running.close()


async def test_a_recording_is_decoded_in_another_process(processes: DecodingProcesses) -> None:
    assert text_of(await processes.decode(ORDER, spoken("HELLO THERE"))) == "HELLO THERE"
    assert processes.running != [os.getpid()]
    assert len(processes.running) == 1


async def test_a_process_that_was_killed_is_replaced(processes: DecodingProcesses) -> None:
    await processes.decode(ORDER, spoken("ONE"))
    (before,) = processes.running
    os.kill(before, signal.SIGKILL)
    assert text_of(await processes.decode(ORDER, spoken("TWO"))) == "TWO"
    assert processes.running != [before]


async def test_a_recording_that_ends_its_process_twice_fails_alone() -> None:
    dying = DecodingProcesses(most=1, max_waiting=2, command=ENDING)
    with pytest.raises(ThanosqlError) as caught:
        await dying.decode(ORDER, spoken("ONE"))
    assert caught.value.reason is Reason.WORKER_LOST
    await dying.close()


async def test_what_is_wrong_with_an_order_is_told_and_ends_nothing(processes: DecodingProcesses) -> None:
    order = DecoderOrder(
        vocabulary=LETTERS, size=BeamSize(), weights=FusionWeights(), model_folder="/nowhere"
    )
    with pytest.raises(ThanosqlError) as caught:
        await processes.decode(order, spoken("ONE"))
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    (before,) = processes.running
    assert text_of(await processes.decode(ORDER, spoken("TWO"))) == "TWO"
    assert processes.running == [before]


def held(gate: Path, *, most: int, max_waiting: int) -> DecodingProcesses:
    """Processes that answer an order with nothing heard once somebody writes into a pipe."""
    os.mkfifo(gate)
    return DecodingProcesses(
        most=most, max_waiting=max_waiting, command=(sys.executable, "-c", HELD, str(gate))
    )


async def test_the_queue_is_bounded_and_says_when_to_come_back(tmp_path: Path) -> None:
    processes = held(tmp_path / "gate", most=1, max_waiting=2)
    waiting = {asyncio.create_task(processes.decode(ORDER, spoken("ONE"))) for _caller in range(6)}
    refused: set[asyncio.Task[list[Hypothesis]]] = set()
    while len(refused) < 3:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused |= done
    while waiting:
        await asyncio.to_thread((tmp_path / "gate").write_text, "go")
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [[]]
    for task in refused:
        failure = task.exception()
        assert isinstance(failure, ThanosqlError)
        assert failure.reason is Reason.OVERLOADED
        assert failure.retry_delay_s
    await processes.close()


async def test_the_loop_goes_on_while_a_recording_is_decoded(tmp_path: Path) -> None:
    """If it did not, nobody would write into the pipe."""
    processes = held(tmp_path / "gate", most=1, max_waiting=2)
    decoding = asyncio.create_task(processes.decode(ORDER, spoken("ONE")))
    await asyncio.to_thread((tmp_path / "gate").write_text, "go")
    assert await decoding == []
    await processes.close()


async def test_who_leaves_spoils_nothing_for_the_next(processes: DecodingProcesses) -> None:
    leaving = asyncio.create_task(processes.decode(ORDER, spoken("A LONGER TEXT " * 20)))
    await asyncio.sleep(0)
    leaving.cancel()
    assert text_of(await processes.decode(ORDER, spoken("NEXT"))) == "NEXT"
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_the_processes_end_with_their_owner(processes: DecodingProcesses) -> None:
    await processes.decode(ORDER, spoken("ONE"))
    (process,) = processes.running
    await processes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


class Rig:
    """Language models over a workspace in a folder; counts how often one is read."""

    def __init__(self, folder: Path, limits: LanguageModelLimits = LIMITS) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir(exist_ok=True)
        self.folder = folder / "cache"
        self.read: list[str] = []
        self.begun = asyncio.Event()
        self.hold: asyncio.Event | None = None
        files = LocalDirectory(self.workspace)
        self.models = LanguageModels(self.folder, Workspace(files, files), self._compile, limits)

    async def _compile(self, order: CompileOrder) -> None:
        self.read.append(order.path)
        if self.hold is not None:
            self.begun.set()
            await self.hold.wait()
        await asyncio.to_thread(compile_model, order)

    def put(self, name: str, *texts: str) -> str:
        (self.workspace / name).write_text(arpa_of(texts, 2), encoding="utf-8")
        return name


async def test_a_language_model_is_read_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    path = rig.put("a.arpa", "ONE TWO")
    async with rig.models.opened(path, LETTERS) as first:
        pass
    async with rig.models.opened(path, LETTERS) as second:
        assert first == second
    again = Rig(tmp_path)
    async with again.models.opened(path, LETTERS) as third:
        assert third == first
    assert len(rig.read) == 1
    assert not again.read


async def test_first_callers_at_once_read_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    path = rig.put("a.arpa", "ONE TWO")

    async def use() -> None:
        async with rig.models.opened(path, LETTERS):
            pass

    await asyncio.gather(*(use() for _caller in range(5)))
    assert len(rig.read) == 1


async def test_while_one_file_is_read_others_are_used(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    small, large = rig.put("small.arpa", "ONE TWO"), rig.put("large.arpa", "THREE FOUR")
    async with rig.models.opened(small, LETTERS):
        pass
    rig.hold = asyncio.Event()

    async def use_large() -> Path:
        async with rig.models.opened(large, LETTERS) as folder:
            return folder

    reading = asyncio.create_task(use_large())
    await rig.begun.wait()
    async with rig.models.opened(small, LETTERS) as folder:
        assert folder.is_dir()
        assert not reading.done()
    rig.hold.set()
    assert (await reading).is_dir()


async def test_a_file_that_changed_is_another_language_model(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.models.opened(rig.put("a.arpa", "ONE TWO"), LETTERS) as before:
        pass
    async with rig.models.opened(rig.put("a.arpa", "ONE TWO THREE"), LETTERS) as after:
        assert after != before
    assert len(rig.read) == 2


async def test_arrays_that_were_damaged_on_the_disk_are_made_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    path = rig.put("a.arpa", "ONE TWO")
    async with rig.models.opened(path, LETTERS) as folder:
        pass
    (folder / "keys.npy").write_bytes(b"junk")
    again = Rig(tmp_path)
    async with again.models.opened(path, LETTERS) as folder:
        assert (folder / "keys.npy").read_bytes() != b"junk"
    assert len(again.read) == 1


async def test_arrays_that_are_damaged_after_they_were_verified_are_made_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    path = rig.put("a.arpa", "ONE TWO")
    for _time in range(2):
        async with rig.models.opened(path, LETTERS) as folder:
            pass
    (folder / "keys.npy").write_bytes(b"junk")
    async with rig.models.opened(path, LETTERS) as folder:
        assert (folder / "keys.npy").read_bytes() != b"junk"
    (folder / "facts.json").unlink()
    async with rig.models.opened(path, LETTERS) as folder:
        assert (folder / "facts.json").is_file()
    assert len(rig.read) == 3


async def test_the_oldest_go_when_the_cache_grows_and_what_is_used_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LanguageModelLimits(max_bytes=1 << 20, max_ngrams=1000, cache_bytes=1))
    async with (
        rig.models.opened(rig.put("a.arpa", "ONE TWO"), LETTERS) as first,
        rig.models.opened(rig.put("b.arpa", "THREE FOUR"), LETTERS) as second,
    ):
        assert first.is_dir()
        assert second.is_dir()
    async with rig.models.opened(rig.put("c.arpa", "FIVE SIX"), LETTERS) as third:
        assert [first.is_dir(), second.is_dir(), third.is_dir()] == [False, False, True]


async def test_what_killed_processes_left_is_removed_and_what_is_being_read_is_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    old, young = rig.folder / ".old.1", rig.folder / ".young.2"
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "keys.npy").write_bytes(b"half")
    os.utime(old, (0, 0))
    async with rig.models.opened(rig.put("a.arpa", "ONE TWO"), LETTERS):
        assert [old.exists(), young.exists()] == [False, True]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.UNSUPPORTED_FORMAT),
        (SMALL_ARPA.encode()[:100], Reason.INVALID_DATA),
        (b"\\data\\\n" + b"x" * (2 << 20), Reason.INVALID_DATA),
        (None, Reason.FILE_NOT_FOUND),
    ],
)
async def test_a_file_that_is_wrong_is_named_and_leaves_nothing(
    tmp_path: Path, content: bytes | None, reason: Reason
) -> None:
    rig = Rig(tmp_path)
    if content is not None:
        (rig.workspace / "a.arpa").write_bytes(content)
    with pytest.raises(ThanosqlError, match=r"language model .*'a\.arpa'") as caught:
        async with rig.models.opened("a.arpa", LETTERS):
            pass
    assert caught.value.reason is reason
    assert caught.value.metadata["value"] == "a.arpa"
    assert not [path for path in rig.folder.glob("*") if path.is_dir()]


async def test_a_path_out_of_the_workspace_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (tmp_path / "a.arpa").write_text(SMALL_ARPA, encoding="utf-8")
    with pytest.raises(ThanosqlError) as caught:
        async with rig.models.opened("../a.arpa", LETTERS):
            pass
    assert caught.value.reason is Reason.PATH_OUTSIDE_WORKSPACE


async def test_a_beam_has_its_language_model_and_its_hotwords(
    tmp_path: Path, processes: DecodingProcesses
) -> None:
    rig = Rig(tmp_path)
    scores_fv = spoken("KATS WON")
    scores_fv[0, LETTERS.encode("C")[0]] = np.log(0.4)
    scores_fv[10, LETTERS.encode("R")[0]] = np.log(0.05)
    beams = BeamDecoding(processes, rig.models)
    options = BeamOptions(
        language_model=rig.put("a.arpa", "CATS ARE", "THE CATS"),
        lm_weight=0.8,
        hotwords=[Hotword(phrase="Ron", weight=9.0)],
    )
    async with beams.opened(options, LETTERS) as beam, beams.opened(None, LETTERS) as none:
        assert beam is not None
        assert text_of(await beam.decode(scores_fv)) == "CATS RON"
        assert none is None
