"""How torch computes on a device: what is meant for GPUs is tried on the processor."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.predictor.core.torch_embedder import TorchEmbedder
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions, TorchManner, torch_manner
from services.predictor.core.torch_scorer import TorchScorer
from tests.fakes.predictor_checkpoints import tiny_model

RATE_HZ = 16_000


def as_on_a_gpu(dtype: str) -> TorchManner:
    """Everything of a GPU but the GPU."""
    return replace(torch_manner(EngineOptions(device="cuda", dtype=dtype)), device=torch.device("cpu"))


def sounds(*lengths: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(length).astype(np.float32) for length in lengths]


def test_batches_of_a_gpu_are_made_by_seconds_and_those_of_a_processor_by_number() -> None:
    gpu = torch_manner(EngineOptions(device="cuda")).policy
    assert gpu.most_windows(30 * RATE_HZ) * 30 <= 300
    assert gpu.most_windows(5 * RATE_HZ) > 4 * gpu.most_windows(30 * RATE_HZ)
    cpu = torch_manner(EngineOptions()).policy
    assert cpu.most_windows(30 * RATE_HZ) == cpu.most_windows(RATE_HZ) == 1


def test_what_is_asked_for_goes_before_what_suits() -> None:
    policy = torch_manner(EngineOptions(device="cuda", max_batch_size=3, max_queue_delay_s=0.5)).policy
    assert (policy.most_windows(RATE_HZ), policy.max_queue_delay_s) == (3, 0.5)


def test_shapes_of_a_gpu_come_again() -> None:
    engine = TorchEngine(tiny_model(), EngineOptions(), as_on_a_gpu("float32"))
    shapes = {engine.prepare(sounds(length)).inputs_bt.shape for length in (500, 9_000, 31_999, 32_000)}
    assert shapes == {(1, 32_000)}


def test_padding_to_a_shape_changes_no_number() -> None:
    recordings = sounds(20_000, 31_000)
    exact, padded = (
        TorchScorer(TorchEngine(tiny_model(), EngineOptions(), manner))
        for manner in (None, as_on_a_gpu("float32"))
    )
    pairs = zip(
        exact.finish(exact.run(exact.prepare(recordings))),
        padded.finish(padded.run(padded.prepare(recordings))),
        strict=True,
    )
    for expected, found in pairs:
        assert isinstance(expected, np.ndarray)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_gpu_multiplies_in_bfloat16_and_keeps_its_weights() -> None:
    engine = TorchEngine(tiny_model(), EngineOptions(), as_on_a_gpu("bfloat16"))
    assert engine.description == "torch cpu bfloat16"
    assert {weight.dtype for weight in engine.model.parameters()} == {torch.float32}
    reference = TorchScorer(TorchEngine(tiny_model(), EngineOptions()))
    scorer = TorchScorer(engine)
    (expected,), (found,) = (one.finish(one.run(one.prepare(sounds(20_000)))) for one in (reference, scorer))
    assert isinstance(expected, np.ndarray)
    assert isinstance(found, np.ndarray)
    error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    assert 1e-6 < error < 0.05, "rounded, and not far off"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_labels_and_embeddings_come_out_of_both(dtype: str) -> None:
    engine = TorchEngine(tiny_model(), EngineOptions(), as_on_a_gpu(dtype))
    (labels,) = engine.finish(engine.run(engine.prepare(sounds(20_000))))
    assert isinstance(labels, list)
    embedder = TorchEmbedder(engine)
    (frames,) = embedder.finish(embedder.run(embedder.prepare(sounds(20_000))))
    assert isinstance(frames, np.ndarray)
    assert len(frames) == len(labels)
