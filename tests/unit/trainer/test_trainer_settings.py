"""Settings of the trainer, and what the training process gets of them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from services.trainer.settings import TrainerSettings, worker_environment
from thanosql_objects.settings import ObjectSettings

BUCKET = ObjectSettings(
    uri="s3://models",
    endpoint="127.0.0.1:9000",
    access_key="user",
    secret_key=SecretStr("secret"),
    region="eu-west-1",
    secure=False,
    timeout_s=3.5,
)
LOCAL = ObjectSettings(uri="/srv/objects", workspace="/home/user/speech")


@pytest.mark.parametrize("settings", [BUCKET, LOCAL])
def test_the_training_process_opens_the_same_object_store(
    settings: ObjectSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in worker_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert ObjectSettings() == settings


def test_waiting_threads_of_the_training_process_sleep() -> None:
    assert worker_environment(LOCAL)["OMP_WAIT_POLICY"] == "PASSIVE"


def test_objects_lie_in_the_home_unless_an_address_is_given(tmp_path: Path) -> None:
    assert TrainerSettings(objects=ObjectSettings()).objects_in(tmp_path).uri == str(tmp_path / "objects")
    assert TrainerSettings(objects=BUCKET).objects_in(tmp_path) == BUCKET


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_TRAINER__SEED", "7")
    monkeypatch.setenv("THANOSQL_TRAINER__PRECISION", "fp32")
    worker = TrainerSettings().worker()
    assert (worker.seed, worker.precision) == (7, "fp32")


def test_no_secret_is_written_into_a_job(tmp_path: Path) -> None:
    assert "secret" not in repr(TrainerSettings(objects=BUCKET).worker())
    assert "'secret'" not in repr(TrainerSettings(objects=BUCKET))
