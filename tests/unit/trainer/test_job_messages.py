"""Jobs as messages."""

from dataclasses import replace

from services.trainer.convert import job_to_message, model_from_message, model_to_message, page_to_message
from services.trainer.core.types import (
    Artefact,
    Job,
    JobRequest,
    JobState,
    LeftOutRow,
    Model,
    ModelKind,
    TrainingOptions,
)
from thanosql.v1 import errors_pb2, trainer_pb2
from thanosql_runtime.errors import Reason

OPTIONS = TrainingOptions(audio_col="a", text_col="t", epochs=1, batch_size=4, learning_rate=1e-4)
REQUEST = JobRequest(request_id="", model="m", base="b", options=OPTIONS, snapshot_id="s")
JOB = Job(job_id="j", request=REQUEST, base="b.1", create_time_s=1.0, heartbeat_time_s=1.0)


def test_every_state_has_its_message() -> None:
    for state in JobState:
        message = job_to_message(replace(JOB, state=state))
        assert trainer_pb2.TrainingJob.State.Name(message.state) == f"STATE_{state.value}"


def test_every_reason_has_its_message() -> None:
    for reason in Reason:
        message = job_to_message(replace(JOB, failure_reason=reason.value))
        assert message.failure_reason != errors_pb2.ERROR_REASON_UNSPECIFIED


def test_what_is_not_known_is_absent() -> None:
    message = job_to_message(replace(JOB, loss=0.0))
    assert message.HasField("loss")
    assert not any(message.HasField(name) for name in ("wer", "seconds_left", "end_time", "result"))


def test_a_model_comes_back_as_it_was() -> None:
    artefact = Artefact(key="models/m/j/a", name="a", sha256="0" * 64, size_bytes=7)
    model = Model(
        name="m", version=3, kind=ModelKind.TRAINED, artefacts=(artefact,), metrics={"wer": 0.5}, active=True
    )
    assert model_from_message(model_to_message(model)) == model


def test_a_page_that_would_outgrow_a_message_goes_on_where_it_was_cut() -> None:
    row = LeftOutRow(row=0, subject="x" * 1000, reason="AUDIO_NOT_FOUND", message="y" * 1000)
    jobs = [replace(JOB, job_id=f"j{number}", left_out=(row,) * 100) for number in range(100)]
    page = page_to_message(jobs, "")
    assert 1 < len(page.jobs) < 100
    assert page.ByteSize() < 5 << 20
    assert page.next_page_token == page.jobs[-1].job_id
