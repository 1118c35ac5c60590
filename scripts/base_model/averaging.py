"""Which model of a run is the best: its last one, or the mean of its last few.

The mean of a run's late weights often reads a little better than the last of them (Izmailov et al. 2018).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_ctc.families import CtcModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A model that may be published.

    Attributes:
        model: In float32, on the CPU.
        snapshots: How many of the last ones it is the mean of.
        cer: Its character error rate where the candidates are compared.
    """

    model: CtcModel
    snapshots: int
    cer: float


def candidates(folders: Sequence[Path], judge: Callable[[CtcModel], float]) -> Iterator[Candidate]:
    """Yield the mean of the last snapshot, of the last two, and so on.

    Args:
        folders: Snapshots of one run, oldest first.
        judge: Gives a model's character error rate.
    """
    for count in range(1, len(folders) + 1):
        model = mean(folders[-count:])
        yield Candidate(model=model, snapshots=count, cer=judge(model))


def mean(folders: Sequence[Path]) -> CtcModel:
    """Return the mean of some models of one shape."""
    model = load_checkpoint(folders[-1]).model
    states = [load_checkpoint(folder).model.state_dict() for folder in folders]
    model.load_state_dict({name: _mean([state[name] for state in states]) for name in model.state_dict()})
    return model


def _mean(tensors: list[Tensor]) -> Tensor:
    return torch.stack(tensors).mean(dim=0)
