"""One step of learning: forward, CTC loss, backward, clipped, at the learning rate of the moment.

Shapes, as suffixes: b batch, t samples, f frames, v labels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.trainer.core.augment import mask_length
from services.trainer.core.batching import Batch, Pass
from services.trainer.core.memory import PassesTooLargeError, passes_that_fit
from thanosql_ctc.batch_invariant import output_frames, padded_forward
from thanosql_ctc.families import CtcModel, inner_model

_WARM_UP_SHARE = 0.1
_LARGEST_NORM = 1.0
_WEIGHT_DECAY = 0.005
_BETAS = (0.9, 0.98)


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one step did; `finite` is False where it was skipped because the numbers were none."""

    loss: float
    learning_rate: float
    finite: bool


class Optimiser:
    """AdamW with a linear warm-up over a tenth of the steps and a linear decay to nothing.

    Args:
        model: Its convolutions over samples stay as they are; everything else learns.
        blank_id: CTC's blank.
        learning_rate: The highest.
        steps: Steps in all.
        bf16: Compute in bf16 where that is safe, weights stay float32.
    """

    def __init__(
        self, model: CtcModel, blank_id: int, *, learning_rate: float, steps: int, bf16: bool
    ) -> None:
        inner_model(model).feature_extractor.requires_grad_(requires_grad=False)
        self._model = model
        self._blank_id = blank_id
        self._bf16 = bf16
        self._longest_mask = int(model.config.mask_time_length)
        self._named = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._parameters = list(self._named.values())
        self._adam = torch.optim.AdamW(
            self._parameters, lr=learning_rate, betas=_BETAS, weight_decay=_WEIGHT_DECAY
        )
        self._learning_rate = learning_rate
        self._steps = steps
        self._step = 0

    def step(self, batch: Batch) -> StepResult:
        """Learn from one batch; a step whose gradient is no number changes nothing.

        Raises:
            PassesTooLargeError: Memory ran out before anything was changed.
        """
        self._model.train()
        loss = self._gradients(batch)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, _LARGEST_NORM)
        learning_rate = self._learning_rate * schedule_factor(self._step, self._steps)
        finite = math.isfinite(loss) and bool(torch.isfinite(norm))
        if finite:
            self._adam.param_groups[0]["lr"] = learning_rate
            self._adam.step()
        self._step += 1
        return StepResult(loss=loss, learning_rate=learning_rate, finite=finite)

    def state(self) -> tuple[int, dict[str, Tensor]]:
        """The steps taken, and what the optimiser has gathered, by field and parameter."""
        gathered = self._adam.state
        tensors = {
            f"{field}.{name}": tensor
            for name, parameter in self._named.items()
            if parameter in gathered
            for field, tensor in gathered[parameter].items()
        }
        return self._step, tensors

    def put_back(self, steps: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a state taken before."""
        self._step = steps
        self._adam.state.clear()
        for key, tensor in tensors.items():
            field, _, name = key.partition(".")
            parameter = self._named[name]
            # AdamW counts its steps on the CPU.
            device = tensor.device if field == "step" else parameter.device
            self._adam.state[parameter][field] = tensor.to(device)

    def _gradients(self, batch: Batch) -> float:
        self._adam.zero_grad(set_to_none=True)
        try:
            with passes_that_fit():
                return sum(self._backward(rows, batch.rows) for rows in batch.passes)
        except PassesTooLargeError:
            self._adam.zero_grad(set_to_none=True)
            raise

    def _backward(self, rows: Pass, batch_rows: int) -> float:
        config, device = self._model.config, self._model.lm_head.weight.device
        config.mask_time_length = mask_length(self._longest_mask, output_frames(config, max(rows.lengths)))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._bf16):
            logits_bfv, frames_b = padded_forward(self._model, rows.inputs_bt.to(device), rows.lengths)
        loss = self._loss(logits_bfv, frames_b, rows) / batch_rows
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return float(loss.detach())

    def _loss(self, logits_bfv: Tensor, frames_b: Tensor, rows: Pass) -> Tensor:
        """Sum over the rows of the loss by label, so that long texts do not outweigh short ones."""
        device = logits_bfv.device
        labels = [torch.tensor(example.labels, device=device) for example in rows.examples]
        counts_b = torch.tensor([len(row) for row in labels], device=device)
        loss_b = functional.ctc_loss(
            functional.log_softmax(logits_bfv.float(), dim=-1).transpose(0, 1),
            torch.cat(labels),
            frames_b,
            counts_b,
            blank=self._blank_id,
            reduction="none",
            zero_infinity=True,
        )
        return (loss_b / counts_b).sum()


def schedule_factor(step: int, steps: int) -> float:
    """Share of the highest learning rate at a step, from 0: up over a tenth, then down to just above 0."""
    warm_up = max(1, round(steps * _WARM_UP_SHARE))
    if step < warm_up:
        return (step + 1) / warm_up
    return max(0.0, (steps - step) / max(1, steps - warm_up + 1))
