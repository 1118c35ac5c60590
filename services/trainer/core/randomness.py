"""States of every generator that training draws from: taken, and put back."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_TORCH = "torch"
_CUDA = "cuda."


@dataclass(frozen=True, kw_only=True)
class RandomStates:
    """The generators of Python and NumPy; those of torch are tensors.

    Attributes:
        python: Version, state and pending normal number, as `random.getstate` gives them.
        numpy: Key, position, whether a normal number is pending, and that number.
    """

    python: tuple[int, tuple[int, ...], float | None]
    numpy: tuple[tuple[int, ...], int, int, float]


def random_states() -> tuple[RandomStates, dict[str, Tensor]]:
    """Take the states; the tensors are those of torch, by device."""
    _name, key, position, has_gauss, gauss = np.random.get_state(legacy=True)
    numpy = (tuple(np.asarray(key).tolist()), int(position), int(has_gauss), float(gauss))
    tensors = {_TORCH: torch.get_rng_state()}
    if torch.cuda.is_available():
        states = torch.cuda.get_rng_state_all()
        tensors |= {f"{_CUDA}{index}": state for index, state in enumerate(states)}
    return RandomStates(python=random.getstate(), numpy=numpy), tensors


def put_back(states: RandomStates, tensors: Mapping[str, Tensor]) -> None:
    """Let every generator go on from a state taken before; devices that are gone are passed over."""
    key, position, has_gauss, gauss = states.numpy
    random.setstate(states.python)
    numpy_state = ("MT19937", np.array(key, dtype=np.uint32), position, has_gauss, gauss)
    np.random.set_state(numpy_state)
    torch.set_rng_state(tensors[_TORCH])
    for index in range(torch.cuda.device_count()):
        if f"{_CUDA}{index}" in tensors:
            torch.cuda.set_rng_state(tensors[f"{_CUDA}{index}"], index)
