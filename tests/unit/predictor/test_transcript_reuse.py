"""Transcripts that are kept: taken instead of computed, made once, and never in the way."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.clock import SystemClock
from services.predictor.core.contents import open_content
from services.predictor.core.kept_transcripts import (
    KeptTranscript,
    KeptTranscripts,
    Manner,
    StreamTranscripts,
)
from services.predictor.core.loaded_model import Engines, LoadedModel
from services.predictor.core.seen_recordings import SeenRecordings
from services.predictor.core.statistics import Counters
from services.predictor.core.transcription import Limits, Transcriber
from services.predictor.core.types import ModelRecord, Row, RowAnswer, Transcript
from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary
from tests.fakes.predictor_engine import FakeEngine, settle
from tests.fakes.predictor_storage import babble, wav
from tests.fakes.predictor_transcripts import FakeTranscripts, told
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_runtime.errors import ThanosqlError

MANNER = Manner(digest="m", model="tiny", version=1)
Outcome = Transcript | KeptTranscript


class Recordings:
    """Recordings by path; they may be replaced."""

    def __init__(self, **files: bytes) -> None:
        self.files = files

    def open(self, path: str) -> BinaryIO:
        return io.BytesIO(self.files[path])


def recording(number: int) -> bytes:
    return wav(babble(0.3, seed=number))


def model(fails: Callable[[list[int]], bool] = lambda _lengths: False) -> LoadedModel:
    checkpoint = Checkpoint(
        model=tiny_model(), vocabulary=tiny_vocabulary(), sample_rate_hz=16_000, do_normalize=True
    )
    engine = FakeEngine(fails=fails)
    return LoadedModel(
        record=ModelRecord(name="tiny", version=1, artefacts=()),
        engines=Engines(labels=OneLabel(engine), scores=FakeEngine(), frames=FakeEngine()),  # type: ignore[arg-type]
        acoustics=Acoustics.of(checkpoint, Hearing()),
        hearing=Hearing(),
        clock=SystemClock(),
        counters=Counters(),
    )


class OneLabel:
    """Hears the same letter in every window."""

    def __init__(self, engine: FakeEngine) -> None:
        self.policy, self.description, self.size_bytes = engine.policy, engine.description, engine.size_bytes
        self.prepare, self.run = engine.prepare, engine.run

    def finish(self, raw: list[int]) -> list[list[int]]:
        return [[5] for _ in raw]


@dataclass(kw_only=True)
class Rig:
    """A transcriber over recordings, and what it keeps."""

    recordings: Recordings
    model: LoadedModel = field(default_factory=model)
    store: FakeTranscripts = field(default_factory=FakeTranscripts)

    def __post_init__(self) -> None:
        self.stopping = asyncio.Event()
        self.kept = KeptTranscripts(self.store, told, self.stopping, lambda: None)
        self.transcriber = Transcriber(recordings=self.recordings, limits=Limits(), clock=SystemClock())

    async def open(self, *, reuse: bool = True) -> StreamTranscripts:
        stream = await self.kept.open(MANNER, reuse=reuse)
        assert stream is not None
        return stream

    async def outcomes(
        self, *paths: str, stream: StreamTranscripts | None = None
    ) -> list[Outcome | ThanosqlError]:
        stream = stream or await self.kept.open(MANNER, reuse=True)
        found: list[RowAnswer[Outcome]] = [
            answer async for answer in self.transcriber.answer_rows(self.model, rows(*paths), stream)
        ]
        return [answer.outcome for answer in sorted(found, key=lambda answer: answer.row_key)]

    @property
    def counts(self) -> tuple[int, int, int]:
        counters = self.model.counters
        return counters.rows_succeeded, counters.rows_reused, counters.rows_failed


async def rows(*paths: str) -> AsyncIterator[Row]:
    for key, path in enumerate(paths):
        yield Row(row_key=key, audio_path=path)


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make_rig(**parts: object) -> Rig:
        rigs.append(Rig(**parts))  # type: ignore[arg-type]
        return rigs[-1]

    yield make_rig
    for rig in rigs:
        rig.transcriber.close()
        await rig.model.close()


async def test_what_was_computed_is_taken_the_next_time(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(2)))
    computed = await rig.outcomes("a", "b")
    assert rig.counts == (2, 0, 0)
    taken = await rig.outcomes("a", "b")
    assert rig.counts == (2, 2, 0)
    assert [told(item) for item in computed if isinstance(item, Transcript)] == [
        item.told for item in taken if isinstance(item, KeptTranscript)
    ]
    assert all(isinstance(item, KeptTranscript) and item.was_before for item in taken)


async def test_another_recording_under_the_same_path_is_computed(make: Callable[..., Rig]) -> None:
    recordings = Recordings(a=recording(1))
    rig = make(recordings=recordings)
    await rig.outcomes("a")
    recordings.files["a"] = recording(2)
    await rig.outcomes("a")
    assert rig.counts == (2, 0, 0)


async def test_the_same_recording_under_another_path_is_not(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(1)))
    await rig.outcomes("a")
    await rig.outcomes("b")
    assert rig.counts == (1, 1, 0)


async def test_rows_of_one_recording_are_computed_once_though_all_are_in_flight(
    make: Callable[..., Rig],
) -> None:
    rig = make(recordings=Recordings(a=recording(1)))
    outcomes = await rig.outcomes(*["a"] * 20)
    assert rig.counts == (1, 19, 0)
    assert [item.was_before for item in outcomes if isinstance(item, KeptTranscript)] == [False] * 19


async def test_two_streams_at_once_share_the_work(make: Callable[..., Rig]) -> None:
    paths = [f"p{number}" for number in range(12)]
    rig = make(recordings=Recordings(**{path: recording(index) for index, path in enumerate(paths)}))
    await asyncio.gather(rig.outcomes(*paths), rig.outcomes(*paths))
    assert rig.counts == (12, 12, 0)


async def test_when_the_one_who_computes_leaves_another_does(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1)))
    first, second = await rig.open(), await rig.open()
    with first.claimed(sha256(recording(1)).hexdigest()):
        waiting = asyncio.create_task(rig.outcomes("a", stream=second))
        await settle()
        assert not waiting.done()
    (outcome,) = await waiting
    assert isinstance(outcome, Transcript)


async def test_a_row_that_fails_is_not_kept_and_fails_those_behind_it_by_themselves(
    make: Callable[..., Rig],
) -> None:
    rig = make(recordings=Recordings(a=recording(1)), model=model(fails=lambda _lengths: True))
    outcomes = await rig.outcomes("a", "a", "a")
    assert all(isinstance(item, ThanosqlError) for item in outcomes)
    assert rig.counts == (0, 0, 3)
    assert not rig.store.kept


async def test_without_reuse_all_is_computed_and_kept(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1)))
    await rig.outcomes("a")
    await rig.outcomes("a", "a", stream=await rig.open(reuse=False))
    assert rig.counts == (3, 0, 0)
    await rig.kept.flush()
    assert rig.store.times_kept == 2


async def test_what_another_stream_made_meanwhile_is_new_to_this_one(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(2)))
    await rig.outcomes("b")
    stream = await rig.open()
    await rig.outcomes("a")
    await rig.kept.flush()
    outcomes = await rig.outcomes("a", "b", stream=stream)
    assert [item.was_before for item in outcomes if isinstance(item, KeptTranscript)] == [False, True]


@pytest.mark.parametrize("trouble", ["keeps nothing", "is away"])
async def test_a_store_that_keeps_nothing_stops_nothing(make: Callable[..., Rig], trouble: str) -> None:
    rig = make(recordings=Recordings(a=recording(1)))
    rig.store.keeps, rig.store.is_away = trouble != "keeps nothing", trouble == "is away"
    for _ in range(2):
        (outcome,) = await rig.outcomes("a")
        assert isinstance(outcome, Transcript)
    assert rig.counts == (2, 0, 0)


async def test_a_store_that_goes_away_stops_nothing(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(2)))
    stream = await rig.open()
    await rig.outcomes("a", stream=stream)
    rig.store.is_away = True
    await rig.kept.flush()
    outcomes = await rig.outcomes("a", "b", stream=stream)
    assert all(isinstance(item, Transcript) for item in outcomes)


async def test_what_was_made_is_kept_when_the_service_stops(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1)))
    rig.kept.start()
    await rig.outcomes("a")
    rig.stopping.set()
    await rig.kept.close()
    assert len(rig.store.kept) == 1


async def test_a_stream_that_is_left_gives_its_claims_back(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(2)))
    stream = await rig.open()
    async with aclosing(rig.transcriber.answer_rows(rig.model, rows("a", "b"), stream)) as answers:
        await anext(answers)
    for number in (1, 2):
        assert stream.in_work(sha256(recording(number)).hexdigest()) is None


async def test_only_recordings_that_may_be_kept_are_looked_for(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(2), c=recording(3)))
    await rig.outcomes("a", "b")
    assert rig.store.asked == []
    await rig.outcomes("a", "b", "c")
    assert sorted(rig.store.asked) == sorted(sha256(recording(n)).hexdigest() for n in (1, 2))


async def test_all_are_looked_for_where_the_store_does_not_say_what_it_has(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1), b=recording(2)))
    rig.store.tells_known = False
    await rig.outcomes("a")
    await rig.outcomes("a", "b")
    assert rig.counts == (2, 1, 0)
    assert len(rig.store.asked) == 3


async def test_what_a_stream_made_is_found_by_a_later_row_of_its_own(make: Callable[..., Rig]) -> None:
    rig = make(recordings=Recordings(a=recording(1)))
    stream = await rig.open()
    await rig.outcomes("a", stream=stream)
    await rig.kept.flush()
    await rig.outcomes("a", stream=stream)
    assert rig.counts == (1, 1, 0)


def test_a_recording_that_was_not_seen_is_mostly_known_not_to_be() -> None:
    seen = SeenRecordings()
    digests = [sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    seen.add(b"".join(bytes.fromhex(digest[:16]) for digest in digests[:9_999]))
    seen.note(digests[9_999])
    assert all(seen.may_have(digest) for digest in digests[:10_000])
    assert sum(seen.may_have(digest) for digest in digests[10_000:]) < 100


class Folder:
    """Recordings that are files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, path: str) -> BinaryIO:
        return (self._folder / path).open("rb")


def test_a_file_that_changes_behind_its_digest_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(recording(1))
    content = open_content(Folder(tmp_path), "a")
    assert content.is_unchanged()
    (tmp_path / "a").write_bytes(recording(2))
    assert not content.is_unchanged()
    content.close()


async def test_what_changed_while_it_was_heard_is_not_kept(
    make: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(recording(1))
    rig = make(recordings=Folder(tmp_path))
    stream = await rig.open()

    async def changed_meanwhile(_sha256: str) -> None:
        (tmp_path / "a").write_bytes(recording(2))

    monkeypatch.setattr(stream, "find", changed_meanwhile)
    (outcome,) = await rig.outcomes("a", stream=stream)
    assert isinstance(outcome, Transcript)
    await rig.kept.flush()
    assert not rig.store.kept


async def test_what_was_kept_before_stays_old_while_it_is_made_anew() -> None:
    store = FakeTranscripts()
    kept = KeptTranscripts(store, told, asyncio.Event(), lambda: None)
    audio = sha256(b"a").hexdigest()
    await store.keep(MANNER, {audio: b"ALPHA"})
    stream = await kept.open(MANNER, reuse=True)
    assert stream is not None
    kept.note(MANNER, audio, Transcript(text="ALFA", audio_s=1.0))
    assert await stream.find(audio) == KeptTranscript(told=b"ALFA", was_before=True)
