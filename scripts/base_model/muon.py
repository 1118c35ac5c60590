"""Muon: momentum whose matrices are made orthogonal before each step (Jordan et al. 2024).

Every direction of a weight matrix then moves equally far, where Adam moves mostly along a few. The size of a
step is that of AdamW's (Liu et al. 2025, "Muon is scalable for LLM training"), so both take the same learning
rate.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_ADAM_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """For weight matrices; each process makes its share of them orthogonal, and all get all.

    Args:
        matrices: Weights of two dimensions.
        lr: Learning rate.
        momentum: Of the gradient, with Nesterov's look ahead.
        weight_decay: As AdamW's, but more: Muon lets weights grow (Liu et al. 2025).
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure is ever given
        """Move every matrix."""
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            directions = [self._direction(matrix, group["momentum"]) for matrix in matrices]
            for matrix, direction in zip(matrices, _orthogonal(directions), strict=True):
                size = _ADAM_SIZE * max(matrix.shape) ** 0.5
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(direction, alpha=-group["lr"] * size)

    def _direction(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
        gradient = matrix.grad
        if gradient is None:
            raise ValueError("a matrix without a gradient has no direction")
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return the nearest matrices whose singular values are all about 1, by Newton and Schulz's iteration.

    Args:
        matrices: One, or several of one shape: [..., rows, columns].
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    flat = (matrices.mT if tall else matrices).bfloat16()
    flat = flat / (flat.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = flat @ flat.mT
        flat = a * flat + (b * square + c * square @ square) @ flat
    turned: Tensor = flat.mT if tall else flat
    return turned.to(matrices.dtype)


def _orthogonal(directions: list[Tensor]) -> list[Tensor]:
    """Share the work between the processes; every one of them gets every result."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return _all_at_once(directions)
    sizes = [direction.numel() for direction in directions]
    gathered = torch.zeros(sum(sizes))
    places = torch.split(gathered, sizes)
    for number, (place, direction) in enumerate(zip(places, directions, strict=True)):
        if number % dist.get_world_size() == dist.get_rank():
            place.copy_(orthogonal(direction).flatten())
    dist.all_reduce(gathered)
    return [place.view_as(direction) for place, direction in zip(places, directions, strict=True)]


def _all_at_once(directions: list[Tensor]) -> list[Tensor]:
    """Stack what has one shape: a GPU starts fifty small products as slowly as a large one."""
    by_shape: defaultdict[torch.Size, list[int]] = defaultdict(list)
    for place, direction in enumerate(directions):
        by_shape[direction.shape].append(place)
    done: dict[int, Tensor] = {}
    for places in by_shape.values():
        turned = orthogonal(torch.stack([directions[place] for place in places]))
        done.update(zip(places, turned.unbind(), strict=True))
    return [done[place] for place in range(len(directions))]
