"""One run of the training loop over noise, as a training process holds it in memory."""

import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from services.trainer.core.checkpoints import CheckpointFolder
from services.trainer.core.dataset import Dataset, Example
from services.trainer.core.finetune import FineTuning, Outcome
from services.trainer.core.keeping import Keeper
from services.trainer.core.messages import Message, Notice, Progress
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
