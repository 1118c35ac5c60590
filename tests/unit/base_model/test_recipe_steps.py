"""The recipe repeats no step that is done, and publishes nothing worse than what stands there."""

from pathlib import Path

import pytest
import torch
from transformers import Wav2Vec2ForCTC

from scripts import train_base_model
from scripts.base_model import averaging, courses, network, publishing
from scripts.base_model.journal import Journal, Progress, snapshots
from scripts.base_model.scoring import Score
from scripts.base_model.steps import Steps, alone
from thanosql_ctc.checkpoint import load_checkpoint

SHAPE = network.Shape(hidden=64, layers=2)


def interrupt() -> None:
    """Do what a kill does."""
    raise InterruptedError


def test_a_step_is_done_once_and_again_when_what_it_depends_on_changes(tmp_path: Path) -> None:
    done: list[str] = []

    def follow(minutes: int) -> None:
        steps = Steps(tmp_path)
        steps.once("prepare", {}, lambda: done.append("prepare"))
        steps.once("train", {"minutes": minutes}, lambda: done.append("train"))
        steps.once("publish", {}, lambda: done.append("publish"))

    follow(1)
    follow(1)
    assert done == ["prepare", "train", "publish"]
    follow(2)
    assert done[3:] == ["train", "publish"]


def test_an_interrupted_step_is_begun_again(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        Steps(tmp_path).once("cut", {}, interrupt)
    done: list[str] = []
    Steps(tmp_path).once("cut", {}, lambda: done.append("cut"))
    assert done == ["cut"]


def test_two_calls_never_share_a_work_folder(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(RuntimeError, match="another call is at work"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_the_mean_of_models_lies_between_them(tmp_path: Path) -> None:
    for seed in (1, 2):
        publishing.publish(network.create(SHAPE, seed), tmp_path / "snapshots" / f"{seed:08d}")
    folders = snapshots(tmp_path)
    one, other = (load_checkpoint(folder).model.lm_head.weight for folder in folders)
    torch.testing.assert_close(averaging.mean(folders).lm_head.weight, (one + other) / 2)


def test_candidates_are_the_last_snapshot_and_means_with_those_before_it(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        publishing.publish(network.create(SHAPE, seed), tmp_path / "snapshots" / f"{seed:08d}")
    last = load_checkpoint(snapshots(tmp_path)[-1]).model.lm_head.weight
    found = list(
        averaging.candidates(snapshots(tmp_path), lambda model: float(model.lm_head.weight.detach().sum()))
    )
    assert [one.snapshots for one in found] == [1, 2, 3]
    torch.testing.assert_close(found[0].model.lm_head.weight, last)
    assert len({one.cer for one in found}) == 3


def test_a_log_ends_where_the_checkpoint_does(tmp_path: Path) -> None:
    scores = {"an4": Score(wer=0.5, cer=0.25, examples=(("A", "B"),))}
    journal = Journal(tmp_path)
    journal.note(Progress(elapsed_s=60.0, steps=7), 1.5, scores)
    journal.save({}, Progress(elapsed_s=60.0, steps=7))
    journal.note(Progress(elapsed_s=120.0, steps=9), 1.2, scores)  # and killed before it is saved
    resumed = Journal(tmp_path)
    assert resumed.load() == {"progress": Progress(elapsed_s=60.0, steps=7)}
    resumed.note(Progress(elapsed_s=125.0, steps=10), 1.1, scores)
    resumed.save({}, Progress(elapsed_s=125.0, steps=10))
    written = (tmp_path / "log.csv").read_text().splitlines()
    assert written == [
        "minutes,step,audio_hours,loss_per_letter,wer_an4,cer_an4",
        "1.0,7,0.00,1.5000,0.500,0.250",
        "2.1,10,0.00,1.1000,0.500,0.250",
    ]


def test_a_run_keeps_its_last_five_snapshots(tmp_path: Path) -> None:
    model = network.create(SHAPE, seed=1)
    for steps in range(7):
        Journal(tmp_path).keep(model, Progress(steps=steps))
    assert [int(folder.name) for folder in snapshots(tmp_path)] == [2, 3, 4, 5, 6]


def test_a_small_recipe_writes_below_its_work_folder_alone(tmp_path: Path) -> None:
    small = train_base_model.recipe_of(train_base_model.parse(["--small", "--work", str(tmp_path)]))
    for written in (small.model, small.page, small.card):
        assert written.is_relative_to(tmp_path)
    assert small.course.minutes < courses.TWO_CORES.minutes


def test_what_is_asked_for_goes_before_the_course_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = train_base_model.parse(["--minutes", "7", "--device", "auto"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    there = train_base_model.recipe_of(asked)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = train_base_model.recipe_of(asked)
    assert (there.device.type, here.device.type) == ("cuda", "cpu")
    assert there.course.minutes == here.course.minutes == 7
    assert there.course.batch_s == courses.ONE_GPU.batch_s
    assert here.course.batch_s == courses.TWO_CORES.batch_s


def test_every_course_makes_a_model_that_may_be_bundled() -> None:
    for course in (courses.TWO_CORES, courses.ONE_GPU):
        with torch.device("meta"):
            weights = sum(
                weight.numel() for weight in Wav2Vec2ForCTC(network.configuration(course.shape)).parameters()
            )
        assert weights <= 12_000_000
        starts = [stage.start for stage in course.stages]
        assert starts[0] == 0
        assert starts == sorted(starts)
