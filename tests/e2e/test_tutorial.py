"""The tutorial, statement by statement, on real parts, in both topologies and on both object stores."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from minio import Minio

from tests.deployment import ROOT, SHARED_DATA, TOPOLOGIES, one_process
from tests.s3_servers import s3_server
from thanosql import Progress, ThanoSQL

EXAMPLES = ROOT / "examples"
SHIPPED = "tutorial_data/librispeech_data"


def statements(dataset: str = SHIPPED) -> str:
    return (EXAMPLES / "tutorial.sql").read_text().replace(SHIPPED, dataset)


def run_tutorial(db: ThanoSQL, text: str) -> None:
    stages: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Progress):
            stages.append(event.stage)

    results = db.execute_all(text, on_event=note)
    copied, tested, head, printed, predicted, built, transcribed, before, after = results

    assert min(copied.rows_changed, tested.rows_changed) >= 30
    assert len(head) == 5
    assert head.columns == ["audio_path", "text"]
    assert len(printed.media) == 3
    assert all(len(media.data) > 1_000 for media in printed.media)
    assert len(predicted) == copied.rows_changed
    assert {"audio_path", "text", "predicted", "error"} <= set(predicted.columns)
    assert not predicted.row_errors
    assert sum(bool(row["predicted"]) for row in predicted.rows) > len(predicted) / 2
    assert any("epochs" in notice.message for notice in predicted.notices)
    assert built.model is not None
    assert built.model.name == "my_speech_recognition_model"
    assert {"wer", "loss"} <= set(built.model.metrics)
    assert len(transcribed) == tested.rows_changed
    assert before.scores is not None
    assert after.scores is not None
    assert after.scores.wer < before.scores.wer
    assert len(set(stages)) >= 2, stages


@pytest.mark.timeout(600)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_tutorial_runs(topology: str, tmp_path: Path) -> None:
    environment = {"THANOSQL_OBJECTS__WORKSPACE": str(EXAMPLES)}
    with (
        TOPOLOGIES[topology](tmp_path / "home", environment) as running,
        ThanoSQL(running.address, token=running.token) as db,
    ):
        run_tutorial(db, statements())


@contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """A bucket with the tutorial's files in it, as `mc mirror` would put them there."""
    with s3_server() as endpoint:
        client = Minio(endpoint, access_key="key", secret_key="secret", secure=False)
        client.make_bucket("thanosql")
        for folder, _, names in os.walk(EXAMPLES / SHIPPED):
            for name in names:
                path = Path(folder) / name
                key = f"workspace/{path.relative_to(EXAMPLES).as_posix()}"
                client.fput_object("thanosql", key, str(path))
        yield {
            "THANOSQL_OBJECTS__URI": "s3://thanosql",
            "THANOSQL_OBJECTS__ENDPOINT": endpoint,
            "THANOSQL_OBJECTS__ACCESS_KEY": "key",
            "THANOSQL_OBJECTS__SECRET_KEY": "secret",
            "THANOSQL_OBJECTS__SECURE": "false",
        }


@pytest.mark.timeout(600)
def test_the_tutorial_runs_on_a_bucket(tmp_path: Path) -> None:
    with (
        bucket() as environment,
        one_process(tmp_path / "home", environment) as running,
        ThanoSQL(running.address, token=running.token) as db,
    ):
        run_tutorial(db, statements())


@pytest.mark.shared_data
@pytest.mark.timeout(900)
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared recordings are not here")
def test_the_tutorial_runs_on_recordings_of_people(tmp_path: Path) -> None:
    environment = {"THANOSQL_OBJECTS__WORKSPACE": str(SHARED_DATA)}
    with (
        one_process(tmp_path / "home", environment) as running,
        ThanoSQL(running.address, token=running.token) as db,
    ):
        results = db.execute_all(statements("librispeech_data"))
    copied, tested, _, printed, predicted, built, transcribed, before, after = results
    assert (copied.rows_changed, tested.rows_changed) == (60, 30)
    assert len(printed.media) == 3
    assert not predicted.row_errors
    assert not transcribed.row_errors
    assert sum(bool(row["predicted"]) for row in predicted.rows) == 60
    assert built.job is not None
    assert (built.job.state.upper(), built.job.rows_left_out) == ("SUCCEEDED", 0)
    # Whether one epoch helps on people is a matter of the base model, which is measured elsewhere.
    for result in (before, after):
        assert result.scores is not None
        assert (result.scores.rows, result.scores.rows_left_out) == (30, 0)
        assert result.scores.audio_s > 300
