"""Layers rounded to eight bits: what flowed into them, and a model that rounds to those ranges.

A rounded model still computes in float32. Each rounding is an operation of its own, which a compiler reads as
the wish to compute the layer behind it in integers. Weights are rounded a channel of the output at a time,
around zero; what flows into a layer by one range for all of it, whose zero stays zero.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_GREATEST = 255
_GREATEST_WEIGHT = 127
_LEAST_SCALE = 1e-12
_HEAD = "lm_head"


@dataclass(frozen=True, kw_only=True)
class InputRange:
    """The least and the greatest number that flowed into a layer."""

    least: float
    greatest: float

    def joined(self, other: "InputRange") -> "InputRange":
        """The range of both."""
        return InputRange(least=min(self.least, other.least), greatest=max(self.greatest, other.greatest))


def input_ranges(
    module: nn.Module, kinds: tuple[type[nn.Module], ...], examples: Iterable[tuple[Tensor, ...]]
) -> dict[str, InputRange]:
    """Find what flows into layers while examples go through a module.

    The head is left out: it is small, and decides between labels. So are layers with groups, and those whose
    weights others use without calling them.

    Args:
        module: In evaluation mode.
        kinds: Of layers, `nn.Linear` and `nn.Conv1d`.
        examples: Arguments of the module.

    Returns:
        A range by the name of each layer that was called.
    """
    ranges: dict[str, InputRange] = {}
    with _watched(module, kinds, ranges), torch.inference_mode():
        for example in examples:
            module(*example)
    return ranges


def rounded(module: nn.Module, ranges: Mapping[str, InputRange]) -> nn.Module:
    """Copy a module so that the layers with a range round what flows in, and their weights.

    Weights are shared with the module that is given.
    """
    shared: dict[int, object] = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    whole = copy.deepcopy(module, shared)
    for name, values in ranges.items():
        parent, _, last = name.rpartition(".")
        setattr(whole.get_submodule(parent), last, _Rounded(whole.get_submodule(name), values))
    return whole


class _Rounded(nn.Module):
    """A linear layer or a convolution of numbers of eight bits."""

    def __init__(self, layer: nn.Module, values: InputRange) -> None:
        super().__init__()
        assert isinstance(layer, nn.Linear | nn.Conv1d)
        self.layer = layer
        least, greatest = min(values.least, 0.0), max(values.greatest, 0.0)
        self._scale = max((greatest - least) / _GREATEST, _LEAST_SCALE)
        self._zero = round(-least / self._scale)
        largest_o = layer.weight.detach().abs().flatten(1).amax(dim=1)
        self.register_buffer("scales_o", (largest_o / _GREATEST_WEIGHT).clamp_min(_LEAST_SCALE))
        self.register_buffer("zeros_o", torch.zeros(len(largest_o), dtype=torch.int32))

    def forward(self, inputs: Tensor) -> Tensor:
        rounded_inputs = torch.fake_quantize_per_tensor_affine(inputs, self._scale, self._zero, 0, _GREATEST)
        weight = torch.fake_quantize_per_channel_affine(
            self.layer.weight,
            cast("Tensor", self.scales_o),
            cast("Tensor", self.zeros_o),
            0,
            -_GREATEST_WEIGHT,
            _GREATEST_WEIGHT,
        )
        layer = self.layer
        if isinstance(layer, nn.Linear):
            return functional.linear(rounded_inputs, weight, layer.bias)
        return functional.conv1d(
            rounded_inputs,
            weight,
            layer.bias,
            layer.stride,
            cast("tuple[int]", layer.padding),
            layer.dilation,
        )


@contextmanager
def _watched(
    module: nn.Module, kinds: tuple[type[nn.Module], ...], ranges: dict[str, InputRange]
) -> Iterator[None]:
    watches = [
        layer.register_forward_pre_hook(partial(_note, ranges, name))
        for name, layer in module.named_modules()
        if isinstance(layer, kinds) and _takes_part(name, layer)
    ]
    try:
        yield
    finally:
        for watch in watches:
            watch.remove()


def _takes_part(name: str, layer: nn.Module) -> bool:
    if name.rpartition(".")[2] == _HEAD:
        return False
    # With one channel of input there is nothing to gain: the first convolution reads samples.
    return not isinstance(layer, nn.Conv1d) or (layer.groups == 1 and layer.in_channels > 1)


def _note(ranges: dict[str, InputRange], name: str, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    least, greatest = torch.aminmax(inputs[0])
    found = InputRange(least=float(least), greatest=float(greatest))
    ranges[name] = ranges[name].joined(found) if name in ranges else found
