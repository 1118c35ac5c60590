"""Jobs on disk."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.trainer.core.board import JobBoard
from services.trainer.core.journal import Journal
from services.trainer.core.types import (
    Artefact,
    Job,
    JobRequest,
    JobState,
    LeftOutRow,
    Model,
    TrainingOptions,
)

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
