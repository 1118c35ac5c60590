"""A run that is stopped and taken up again ends as one that nobody disturbed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from services.trainer.core.checkpoints import TENSORS_FILE, CheckpointFolder
from services.trainer.core.course import EpochResult
from services.trainer.core.finetune import Outcome
from services.trainer.core.keeping import StoppedError
from services.trainer.core.messages import Kept
from tests.fakes.trainer_run import BATCHES, EPOCHS, Process, largest_difference


def run_until_stopped(process: Process) -> None:
    with pytest.raises(StoppedError):
        process.run(1)


def figures(results: Sequence[EpochResult]) -> list[tuple[float, float | None, float | None]]:
    return [(result.loss, result.wer, result.cer) for result in results]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, dict[str, Tensor]]:
    process = Process(tmp_path_factory.mktemp("undisturbed"))
    return process.run(1), process.weights


@pytest.mark.parametrize("steps", [1, 3, 5, EPOCHS * BATCHES])
def test_ends_with_the_weights_of_an_undisturbed_run(
    tmp_path: Path, undisturbed: tuple[Outcome, dict[str, Tensor]], steps: int
) -> None:
    run_until_stopped(Process(tmp_path, stop_after=steps))
    process = Process(tmp_path)
    outcome = process.run(seed=99)  # the states of chance are those kept, not those of the new process

    assert largest_difference(process.weights, undisturbed[1]) == 0.0
    assert figures(outcome.epochs) == figures(undisturbed[0].epochs)
    assert outcome.best.epoch == undisturbed[0].best.epoch
    assert process.notices[0].startswith(f"training goes on from step {steps}")


def test_disturbed_after_every_step_ends_the_same(
    tmp_path: Path, undisturbed: tuple[Outcome, dict[str, Tensor]]
) -> None:
    for _step in range(EPOCHS * BATCHES):
        run_until_stopped(Process(tmp_path, stop_after=1))
    process = Process(tmp_path)
    process.run(seed=99)
    assert largest_difference(process.weights, undisturbed[1]) == 0.0


def test_progress_goes_on_where_it_was(tmp_path: Path) -> None:
    run_until_stopped(Process(tmp_path, stop_after=4))
    process = Process(tmp_path)
    process.run(seed=99)
    assert min(process.steps) == 4
    assert max(process.steps) == EPOCHS * BATCHES


def _damage(folder: Path) -> None:
    path = max(folder.iterdir()) / TENSORS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_that_is_said(
    tmp_path: Path, undisturbed: tuple[Outcome, dict[str, Tensor]]
) -> None:
    run_until_stopped(Process(tmp_path, stop_after=5))
    _damage(tmp_path)
    process = Process(tmp_path)
    process.run(seed=99)

    assert "damaged" in process.notices[0]
    assert process.notices[0].endswith("the one before is used")
    assert process.notices[1].startswith("training goes on from step 3")
    assert largest_difference(process.weights, undisturbed[1]) == 0.0


def test_without_a_whole_checkpoint_training_begins_anew_and_that_is_said(
    tmp_path: Path, undisturbed: tuple[Outcome, dict[str, Tensor]]
) -> None:
    run_until_stopped(Process(tmp_path, stop_after=1))
    _damage(tmp_path)
    process = Process(tmp_path)
    process.run(seed=1)

    assert process.notices[0].endswith("training begins anew")
    assert largest_difference(process.weights, undisturbed[1]) == 0.0


def test_a_checkpoint_of_other_rows_is_not_used(tmp_path: Path) -> None:
    run_until_stopped(Process(tmp_path, stop_after=1))
    process = Process(tmp_path, rows="others")
    process.run(seed=1)
    assert process.notices == ["the checkpoint was made from other rows; training begins anew"]


def test_a_full_disk_is_said_and_stops_nothing(
    tmp_path: Path,
    undisturbed: tuple[Outcome, dict[str, Tensor]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CheckpointFolder, "write", _full)
    process = Process(tmp_path)
    process.run(seed=1)

    assert len(process.notices) == EPOCHS
    assert "the checkpoint at step 3 could not be written" in process.notices[0]
    assert "No space left on device" in process.notices[0]
    assert largest_difference(process.weights, undisturbed[1]) == 0.0


def _full(*_args: object) -> None:
    raise OSError(28, "No space left on device")


def kept_steps(process: Process) -> list[int]:
    return [message.step for message in process.told if isinstance(message, Kept)]


@pytest.mark.parametrize(
    ("interval_s", "steps"), [(0.0, [1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9]), (1e9, [3, 6, 9])]
)
def test_checkpoints_come_by_time_and_at_each_end_of_an_epoch(
    tmp_path: Path, interval_s: float, steps: list[int]
) -> None:
    process = Process(tmp_path, interval_s=interval_s)
    process.run(seed=1)
    assert kept_steps(process) == steps
