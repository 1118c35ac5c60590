"""What a tracer can record gives what runs without one, for any lengths."""

import numpy as np
import pytest
import torch

from tests.fakes.predictor_checkpoints import tiny_model
from thanosql_ctc.batch_invariant import padded_forward
from thanosql_ctc.traceable_forward import TraceableForward

LENGTHS = [16_000, 400, 9_999, 4_801]


def waveforms(lengths: list[int]) -> torch.Tensor:
    inputs = torch.zeros(len(lengths), 16_000)
    for seed, (row, length) in enumerate(zip(inputs, lengths, strict=True)):
        row[:length] = torch.randn(length, generator=torch.Generator().manual_seed(seed))
    return inputs


def worst_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).norm() / expected.norm())


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("lengths", [LENGTHS, [7_000], [16_000, 16_000]], ids=["mixed", "padded", "full"])
def test_it_gives_what_the_padded_forward_gives(norm: str, lengths: list[int]) -> None:
    model, inputs = tiny_model(norm), waveforms(lengths)
    with torch.inference_mode():
        expected, frames = padded_forward(model, inputs.clone(), lengths)
        logits, counted = TraceableForward(model)(inputs, torch.tensor(lengths))
    assert counted.tolist() == frames.tolist()
    for row, count in enumerate(frames.tolist()):
        assert worst_error(logits[row, :count], expected[row, :count]) < 1e-5


def test_what_stands_in_the_padding_does_not_matter() -> None:
    forward, lengths = TraceableForward(tiny_model()), torch.tensor([5_000])
    quiet = waveforms([5_000])
    loud = quiet.clone()
    loud[:, 5_000:] = 9.0
    with torch.inference_mode():
        first, frames = forward(quiet, lengths)
        second, _ = forward(loud, lengths)
    count = int(frames[0])
    np.testing.assert_allclose(first[0, :count], second[0, :count], atol=1e-6)


def test_the_weights_of_the_model_stay_as_they_are() -> None:
    model = tiny_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    TraceableForward(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
