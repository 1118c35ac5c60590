"""Every architecture: the same alone and in a batch, as transformers has it, saved and loaded, traceable."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import AutoModelForCTC

from tests.fakes.predictor_checkpoints import (
    ARCHITECTURES,
    tiny_model_of,
    tiny_vocabulary,
    write_tiny_checkpoint_of,
)
from thanosql_ctc.batch_invariant import batch_logits, lower_encoder, padded_forward, padded_hidden
from thanosql_ctc.checkpoint import load_checkpoint, save_checkpoint
from thanosql_ctc.families import CtcModel
from thanosql_ctc.traceable_forward import TraceableForward
from thanosql_ctc.waveform import normalise_waveform
from thanosql_runtime.errors import Reason, ThanosqlError

LENGTHS = (16_000, 5_001, 400, 32_017, 8_000)
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def recording(samples: int, seed: int) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    loudness = np.abs(np.sin(np.arange(samples) / 3000 + seed))
    return normalise_waveform((generator.standard_normal(samples) * loudness).astype(np.float32))


def theirs(model: CtcModel, waveform: npt.NDArray[np.float32]) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(input_values=torch.from_numpy(waveform)[None]).logits[0]
    return logits


def padded(recordings: list[npt.NDArray[np.float32]]) -> torch.Tensor:
    inputs = torch.zeros(len(recordings), max(map(len, recordings)))
    for row, waveform in zip(inputs, recordings, strict=True):
        row[: len(waveform)] = torch.from_numpy(waveform)
    return inputs


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).detach().norm() / expected.detach().norm())


def gradients(model: CtcModel) -> dict[str, torch.Tensor]:
    named = model.named_parameters()
    return {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


@every_architecture
def test_64_recordings_give_in_batches_what_transformers_gives_for_each_alone(architecture: str) -> None:
    model = tiny_model_of(architecture)
    generator = np.random.default_rng(1)
    recordings = [recording(int(length), 7) for length in generator.integers(400, 24_000, 64)]
    for begin in range(0, 64, 16):
        together = recordings[begin : begin + 16]
        for waveform, logits in zip(together, batch_logits(model, together), strict=True):
            alone = theirs(model, waveform)
            assert logits.shape == alone.shape
            assert relative_error(logits, alone) < 1e-5


@every_architecture
def test_what_is_traced_gives_what_transformers_gives_for_each_alone(architecture: str) -> None:
    model = tiny_model_of(architecture)
    recordings = [recording(length, seed) for seed, length in enumerate(LENGTHS)]
    with torch.inference_mode():
        logits, frames = TraceableForward(model)(padded(recordings), torch.tensor(LENGTHS))
    for waveform, row, count in zip(recordings, logits, frames.tolist(), strict=True):
        alone = theirs(model, waveform)
        assert count == len(alone)
        assert relative_error(row[:count], alone) < 1e-5


@every_architecture
def test_a_hidden_layer_is_the_same_alone_and_beside_longer_recordings(architecture: str) -> None:
    model = tiny_model_of(architecture)
    lower = lower_encoder(model, 1)
    recordings = [recording(8_000, 1), recording(16_000, 2)]
    with torch.inference_mode():
        together, frames = padded_hidden(model, lower, padded(recordings), [8_000, 16_000])
        alone, _ = padded_hidden(model, lower, padded(recordings[:1]), [8_000])
    assert relative_error(together[0, : int(frames[0])], alone[0]) < 1e-5


@every_architecture
def test_gradients_of_a_padded_batch_equal_those_of_single_runs(architecture: str) -> None:
    model = tiny_model_of(architecture)
    recordings = [recording(6_000, 1), recording(3_000, 2)]
    logits, frames = padded_forward(model, padded(recordings), [6_000, 3_000])
    torch.cat([logits[row, : int(frames[row])] for row in range(2)]).square().sum().backward()  # type: ignore[no-untyped-call]
    together = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }
    model.zero_grad()
    for waveform in recordings:
        model(input_values=torch.from_numpy(waveform)[None]).logits.square().sum().backward()
    alone = gradients(model)
    assert together.keys() == alone.keys()
    for name, batched in together.items():
        assert float((batched - alone[name]).norm()) <= 1e-3 * float(alone[name].norm()) + 1e-4, name


@every_architecture
def test_training_mode_masks_features_and_learns(architecture: str) -> None:
    model = tiny_model_of(architecture).train()
    model.config.mask_time_prob = 0.5
    inputs = torch.from_numpy(np.stack([recording(16_000, 1)] * 2))
    first, _ = padded_forward(model, inputs, [16_000, 9_000])
    second, _ = padded_forward(model, inputs, [16_000, 9_000])
    assert relative_error(first, second) > 1e-3
    assert first.requires_grad


def test_a_batch_norm_keeps_its_statistics_while_the_model_learns() -> None:
    model = tiny_model_of("hubert-batch-norm").train()
    before = {name: statistics.clone() for name, statistics in model.named_buffers()}
    padded_forward(model, torch.from_numpy(np.stack([recording(16_000, 1)] * 2)), [16_000, 9_000])
    assert before
    assert all(torch.equal(statistics, before[name]) for name, statistics in model.named_buffers())


@every_architecture
def test_a_saved_model_loads_as_it_was_here_and_in_transformers(tmp_path: Path, architecture: str) -> None:
    model, waveform = tiny_model_of(architecture), recording(8_000, 1)
    save_checkpoint(tmp_path / "model", model, tiny_vocabulary())
    loaded = load_checkpoint(tmp_path / "model").model
    assert type(loaded) is type(model)
    assert torch.equal(theirs(loaded, waveform), theirs(model, waveform))
    foreign = AutoModelForCTC.from_pretrained(tmp_path / "model", local_files_only=True).train(mode=False)
    assert relative_error(theirs(foreign, waveform), theirs(model, waveform)) < 1e-5


@every_architecture
def test_what_transformers_saves_is_loaded(tmp_path: Path, architecture: str) -> None:
    model, waveform = tiny_model_of(architecture), recording(8_000, 1)
    model.save_pretrained(tmp_path / "model")
    tiny_vocabulary().save(tmp_path / "model")
    assert torch.equal(theirs(load_checkpoint(tmp_path / "model").model, waveform), theirs(model, waveform))


@pytest.mark.parametrize(
    ("architecture", "changes", "problem"),
    [
        ("hubert", {"architectures": ["HubertModel"]}, r"hubert \(HubertModel\).*HubertForCTC"),
        ("hubert", {"model_type": "wavlm", "architectures": ["WavLMForCTC"]}, "weights lack|model lacks"),
        ("hubert", {"model_type": "sew"}, "sew.*wav2vec2, hubert, wavlm or data2vec-audio"),
        ("wavlm", {"num_buckets": 2}, "num_buckets 2"),
        ("wavlm", {"max_bucket_distance": 8}, "max_bucket_distance 8"),
        ("wavlm", {"num_attention_heads": 3}, "inconsistent"),
        ("data2vec-audio", {"num_conv_pos_embeddings": 10**9}, "positional layers"),
        ("data2vec-audio", {"conv_pos_kernel_size": 0}, "kernel 0"),
        ("data2vec-audio", {"add_adapter": True}, "adapter"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_says_why(
    tmp_path: Path, architecture: str, changes: dict[str, object], problem: str
) -> None:
    folder = write_tiny_checkpoint_of(tmp_path / "model", architecture)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | changes))
    with pytest.raises(ThanosqlError, match=problem) as caught:
        load_checkpoint(folder)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT
