"""What a training run depends on."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch

from scripts.base_model import network, syllabus

_WARM = 0.03
_FINALLY = 0.01


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run.

    Attributes:
        work: The folder of the cache, the checkpoint and the log.
        budget_s: Seconds of training; what the learning rate and the stages go by.
        ranks: Processes: one for each core, or one for a GPU.
        device: Where the network computes.
        pause_s: Seconds after which a call reports and ends, though there is training left; None for never.
        start: A model folder to begin with; none begins with random weights.
        batch_s: Seconds of speech in a step of one process.
        peak_learning_rate: The highest.
        report_s: Seconds of training from report to report.
        seed: Of everything that is drawn.
        shape: Of a model that begins with random weights.
        stages: What is heard when.
    """

    work: Path
    budget_s: float
    ranks: int = 2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    pause_s: float | None = None
    start: Path | None = None
    batch_s: float = 32.0
    peak_learning_rate: float = 9e-4
    report_s: float = 400.0
    seed: int = 2
    shape: network.Shape = field(default_factory=network.Shape)
    stages: syllabus.Stages = syllabus.STAGES


def learning_rate(share: float, peak: float) -> float:
    """Rise for the first part of the time, then fall along a cosine to a hundredth."""
    if share < _WARM:
        return peak * max(share / _WARM, 0.01)
    fallen = min(1.0, (share - _WARM) / (1 - _WARM))
    return peak * (_FINALLY + (1 - _FINALLY) * 0.5 * (1 + math.cos(math.pi * fallen)))
