"""Jobs on disk."""

import asyncio
import errno
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.trainer.core.board import JobBoard
from services.trainer.core.journal import Journal
from services.trainer.core.types import (
    MOST_NOTICES,
    Artefact,
    Job,
    JobRequest,
    JobState,
    LeftOutRow,
    Model,
    TrainingOptions,
)
from thanosql_runtime.errors import Reason, ThanosqlError

REQUEST = JobRequest(
    request_id="r",
    model="모델",
    base="Wav2Vec2En",
    options=TrainingOptions(
        audio_col="audio_path", text_col="text", epochs=3, batch_size=4, learning_rate=1e-4, overwrite=True
    ),
    snapshot_id="s",
    statement="BUILD MODEL 모델 ...",
)
JOB = Job(job_id="j1", request=REQUEST, base="Wav2Vec2En.1", create_time_s=12.5, heartbeat_time_s=13.0)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "jobs")
    yield journal
    journal.close()


async def test_reads_what_it_wrote(journal: Journal) -> None:
    artefact = Artefact(key="models/m/j1/config.json", name="config.json", sha256="0" * 64, size_bytes=2)
    job = replace(
        JOB,
        state=JobState.SUCCEEDED,
        sequence=9,
        wer=0.25,
        left_out=(LeftOutRow(row=1, subject="a.wav", reason="AUDIO_EMPTY", message="empty"),),
        result=Model(name="m", version=2, artefacts=(artefact,), metrics={"wer": 0.25}),
    )
    await journal.write(job)
    assert journal.read_all() == [job]


async def test_a_record_that_cannot_be_read_hides_no_other(journal: Journal, tmp_path: Path) -> None:
    await journal.write(JOB)
    broken = tmp_path / "jobs" / "j0" / "job.json"
    broken.parent.mkdir()
    broken.write_text('{"job_id": "j0"')
    assert journal.read_all() == [JOB]
    assert broken.exists()


async def test_clears_everything_but_the_record_and_what_is_named(journal: Journal) -> None:
    await journal.write(JOB)
    folder = journal.folder("j1")
    (folder / "base").mkdir()
    (folder / "base" / "model.safetensors").touch()
    (folder / "rows.arrow").touch()
    (folder / "worker.log").touch()
    await journal.clear("j1", keep=frozenset({"worker.log"}))
    assert {path.name for path in folder.iterdir()} == {"job.json", "worker.log"}


async def test_an_ended_job_has_an_end_and_nothing_left_to_wait_for(journal: Journal) -> None:
    board = JobBoard(journal, clock=lambda: 99.0)
    await board.add(JOB)
    await board.update("j1", state=JobState.TRAINING, seconds_left=5.0)
    job = await board.update("j1", state=JobState.FAILED)
    assert (job.sequence, job.end_time_s, job.heartbeat_time_s, job.seconds_left) == (3, 99.0, 99.0, None)
    assert journal.read_all() == [job]


async def test_who_watches_is_let_go_when_the_trainer_stops(journal: Journal) -> None:
    board = JobBoard(journal)
    await board.add(JOB)
    watched = board.watch("j1", 0)
    assert await anext(watched) == JOB
    waiting = asyncio.create_task(anext(watched))
    await asyncio.sleep(0)
    board.release()
    with pytest.raises(ThanosqlError) as raised:
        await waiting
    assert raised.value.reason is Reason.PEER_UNAVAILABLE


async def test_a_full_disk_stops_no_job(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    board = JobBoard(journal)
    await board.add(JOB)

    async def full(_job: Job) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "write", full)
    assert (await board.update("j1", state=JobState.TRAINING)).state is JobState.TRAINING
    assert board.get("j1").state is JobState.TRAINING


async def test_notices_say_what_befell_a_job_the_newest_of_them(journal: Journal) -> None:
    board = JobBoard(journal, clock=lambda: 7.0)
    await board.add(JOB)
    for number in range(MOST_NOTICES + 1):
        job = await board.notify("j1", f"notice {number}", faults=number)
    assert [notice.message for notice in job.notices] == [f"notice {i}" for i in range(1, MOST_NOTICES + 1)]
    assert (job.notices[0].time_s, job.faults) == (7.0, MOST_NOTICES)
    assert journal.read_all() == [job]
