"""Memory that runs out makes the passes smaller, and changes nothing of what is learned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from services.trainer.core import held_out, optimising
from services.trainer.core.keeping import StoppedError
from services.trainer.core.memory import PassesTooLargeError, is_out_of_memory, passes_that_fit
from tests.fakes.trainer_run import Process, largest_difference
from thanosql_runtime.errors import Reason, ThanosqlError

FAILURES = [
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
]


def without_chance(process: Process) -> Process:
    """Other passes draw other masks: only without them results can be compared."""
    process.model.config.apply_spec_augment = False
    for module in process.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0  # type: ignore[assignment]
    return process


def little_memory(monkeypatch: pytest.MonkeyPatch, failure: Exception, samples: int) -> None:
    """Let passes of more padded samples than that fail."""
    forward = optimising.padded_forward

    def limited(model: Any, inputs_bt: torch.Tensor, lengths: Sequence[int]) -> Any:
        if inputs_bt.numel() > samples:
            raise failure
        return forward(model, inputs_bt, lengths)

    monkeypatch.setattr(optimising, "padded_forward", limited)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_the_result_stays_the_same_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    whole = without_chance(Process(tmp_path / "whole"))
    whole.run(seed=1)
    little_memory(monkeypatch, failure, samples=10_000)
    halved = without_chance(Process(tmp_path / "halved"))
    halved.run(seed=1)

    assert largest_difference(whole.weights, halved.weights) < 1e-4
    assert len(halved.notices) >= 1
    assert "memory ran out" in halved.notices[0]


def test_a_resumed_run_does_not_try_the_larger_passes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little_memory(monkeypatch, FAILURES[0], samples=10_000)
    with pytest.raises(StoppedError):
        Process(tmp_path, stop_after=4).run(seed=1)
    second = Process(tmp_path)
    second.run(seed=1)
    assert not any("memory ran out" in notice for notice in second.notices)


def test_one_recording_that_is_too_large_fails_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little_memory(monkeypatch, FAILURES[0], samples=100)
    with pytest.raises(ThanosqlError) as raised:
        Process(tmp_path).run(seed=1)
    assert raised.value.reason is Reason.TRAINING_FAILED
    assert "MAX_CLIP_S" in raised.value.message


def test_memory_that_runs_out_over_the_held_out_rows_fails_where_each_is_a_pass_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(held_out, "batch_logits", fail)
    with pytest.raises(ThanosqlError) as raised:
        Process(tmp_path).run(seed=1)
    assert raised.value.reason is Reason.TRAINING_FAILED


def test_other_failures_are_not_taken_for_it() -> None:
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"), passes_that_fit():
        raise RuntimeError("shapes do not match")
    with pytest.raises(PassesTooLargeError), passes_that_fit():
        raise MemoryError
