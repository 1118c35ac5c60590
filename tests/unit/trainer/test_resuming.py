"""A run that is stopped and taken up again ends as one that nobody disturbed."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from services.trainer.core.checkpoints import TENSORS_FILE, CheckpointFolder
from services.trainer.core.course import EpochResult
from services.trainer.core.dataset import Dataset, Example
from services.trainer.core.finetune import FineTuning, Outcome
from services.trainer.core.keeping import Keeper, StoppedError
from services.trainer.core.messages import Kept, Message, Notice, Progress
from services.trainer.core.meter import Meter
from services.trainer.core.optimising import Optimiser
from services.trainer.core.types import TrainingOptions
from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary
from thanosql_ctc.checkpoint import Checkpoint

EPOCHS, BATCHES = 3, 3
EXAMPLES = tuple(
    Example(
        number=number, path=str(number), text="AB", labels=(6, 7), samples=samples, duration_s=samples / 16e3
    )
    for number, samples in enumerate([8000, 7000, 6000, 9000, 5000, 7500, 6500])
)
DATASET = Dataset(training=EXAMPLES[:6], held_out=EXAMPLES[6:], left_out=(), reasons={})
OPTIONS = TrainingOptions(audio_col="a", text_col="t", epochs=EPOCHS, batch_size=2, learning_rate=1e-3)


class Noise:
    """Audio of the right length by the row's number."""

    def read(self, path: str) -> np.ndarray:
        return np.random.default_rng(int(path)).normal(size=EXAMPLES[int(path)].samples).astype(np.float32)


class Process:
    """What one training process holds in memory: gone with it."""

    def __init__(
        self, folder: Path, *, stop_after: int = -1, interval_s: float = 1e9, rows: str = "r"
    ) -> None:
        self.told: list[Message] = []
        self.model = tiny_model()
        self.model.config.mask_time_prob = 0.5
        self._looks = 0
        self._stop_after = stop_after
        meter = Meter(self.told.append, epochs=EPOCHS, steps_per_epoch=BATCHES, epoch_audio_s=2.5)
        optimiser = Optimiser(self.model, 0, learning_rate=1e-3, steps=EPOCHS * BATCHES, bf16=False)
        keeper = Keeper(
            CheckpointFolder(folder),
            model=self.model,
            optimiser=optimiser,
            meter=meter,
            rows=rows,
            interval_s=interval_s,
            tell=self.told.append,
            stopping=self._stopping,
        )
        checkpoint = Checkpoint(
            model=self.model, vocabulary=tiny_vocabulary(), sample_rate_hz=16_000, do_normalize=True
        )
        self._tuning = FineTuning(
            checkpoint,
            DATASET,
            Noise(),  # type: ignore[arg-type]
            options=OPTIONS,
            meter=meter,
            optimiser=optimiser,
            keeper=keeper,
            seed=7,
            max_pass_audio_s=10.0,
        )

    def run(self, seed: int) -> Outcome:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return self._tuning.run()

    def run_until_stopped(self, seed: int = 1) -> None:
        with pytest.raises(StoppedError):
            self.run(seed)

    @property
    def weights(self) -> dict[str, Tensor]:
        return dict(self.model.state_dict())

    @property
    def notices(self) -> list[str]:
        return [message.message for message in self.told if isinstance(message, Notice)]

    @property
    def steps(self) -> list[int]:
        return [message.step for message in self.told if isinstance(message, Progress)]

    def _stopping(self) -> bool:
        self._looks += 1
        return self._looks == self._stop_after


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


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
    Process(tmp_path, stop_after=steps).run_until_stopped()
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
        Process(tmp_path, stop_after=1).run_until_stopped()
    process = Process(tmp_path)
    process.run(seed=99)
    assert largest_difference(process.weights, undisturbed[1]) == 0.0


def test_progress_goes_on_where_it_was(tmp_path: Path) -> None:
    Process(tmp_path, stop_after=4).run_until_stopped()
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
    Process(tmp_path, stop_after=5).run_until_stopped()
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
    Process(tmp_path, stop_after=1).run_until_stopped()
    _damage(tmp_path)
    process = Process(tmp_path)
    process.run(seed=1)

    assert process.notices[0].endswith("training begins anew")
    assert largest_difference(process.weights, undisturbed[1]) == 0.0


def test_a_checkpoint_of_other_rows_is_not_used(tmp_path: Path) -> None:
    Process(tmp_path, stop_after=1).run_until_stopped()
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
