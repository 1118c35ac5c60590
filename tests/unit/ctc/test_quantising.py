"""Layers of eight bits: which ones, by which ranges, and what they give."""

import copy

import pytest
import torch
from torch import Tensor, nn

from tests.fakes.predictor_checkpoints import ARCHITECTURES, tiny_model, tiny_model_of
from thanosql_ctc.quantising import InputRange, input_ranges, rounded
from thanosql_ctc.traceable_forward import TraceableForward


def example(samples: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, samples, generator=generator), torch.tensor([samples])


def test_ranges_hold_everything_that_flowed_in() -> None:
    module = nn.Sequential(nn.Linear(2, 2))
    ranges = input_ranges(
        module, (nn.Linear,), [(torch.tensor([[-1.0, 4.0]]),), (torch.tensor([[-3.0, 2.0]]),)]
    )
    assert ranges == {"0": InputRange(least=-3.0, greatest=4.0)}


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv1d])
def test_the_head_layers_with_groups_and_what_reads_samples_stay(kind: type[nn.Module]) -> None:
    forward = TraceableForward(tiny_model())
    ranges = input_ranges(forward, (kind,), [example(8_000)])
    assert ranges
    layers = [forward.get_submodule(name) for name in ranges]
    assert all(isinstance(layer, kind) for layer in layers)
    assert not any("lm_head" in name for name in ranges)
    assert all(
        layer.groups == 1 and layer.in_channels > 1 for layer in layers if isinstance(layer, nn.Conv1d)
    )


def test_a_model_that_was_watched_watches_no_more() -> None:
    forward = TraceableForward(tiny_model())
    ranges = input_ranges(forward, (nn.Linear,), [example(8_000)])
    before = dict(ranges)
    forward(*example(8_000, seed=9))
    assert ranges == before


def test_what_is_rounded_gives_nearly_the_same() -> None:
    forward = TraceableForward(tiny_model())
    ranges = input_ranges(forward, (nn.Linear, nn.Conv1d), [example(16_000)])
    with torch.inference_mode():
        exact, _ = forward(*example(12_000, seed=1))
        near, _ = rounded(forward, ranges)(*example(12_000, seed=1))
    error = float((near - exact).norm() / exact.norm())
    assert 0 < error < 0.15


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_can_be_rounded(architecture: str) -> None:
    forward = TraceableForward(tiny_model_of(architecture))
    ranges = input_ranges(forward, (nn.Linear,), [example(16_000)])
    assert len(ranges) >= 5, "projection, attention and feed-forward layers"
    with torch.inference_mode():
        exact, _ = forward(*example(12_000, seed=1))
        near, _ = rounded(forward, ranges)(*example(12_000, seed=1))
    error = float((near - exact).norm() / exact.norm())
    assert 0 < error < 0.2


def test_the_model_that_is_given_stays_as_it_was() -> None:
    model = tiny_model()
    forward = TraceableForward(model)
    weights = copy.deepcopy(model.state_dict())
    whole = rounded(forward, input_ranges(forward, (nn.Linear,), [example(8_000)]))
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert {id(tensor) for tensor in whole.parameters()} <= {id(tensor) for tensor in forward.parameters()}


def test_a_layer_into_which_nothing_but_zeros_flows_gives_numbers() -> None:
    module = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        module[0].weight.zero_()
    zeros = torch.zeros(1, 3)
    given = rounded(module, input_ranges(module, (nn.Linear,), [(zeros,)]))(zeros)
    assert torch.equal(given, module(zeros))


def test_numbers_on_the_grid_are_exact() -> None:
    module = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[127.0, -64.0]]))
    layer = rounded(module, {"0": InputRange(least=0.0, greatest=255.0)})
    assert layer(torch.tensor([[3.0, 200.0]])).item() == 3 * 127 - 200 * 64
    assert layer(torch.tensor([[3.4, 300.0]])).item() == 3 * 127 - 255 * 64, "rounded, and cut off"
