"""The forward pass of `batch_invariant` for a tracer: tensor operations alone, for any batch and any length.

`padded_forward` asks Python for lengths and leaves masks out where there is no padding; what a tracer records
of that holds for one shape. Here lengths are a tensor and masks are always there. For inference only.

Shapes, as suffixes: b batch, t samples, f frames, c channels, h hidden, v labels.
"""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from thanosql_ctc.batch_invariant import has_norm_last, project
from thanosql_ctc.families import CtcModel, inner_model
from thanosql_ctc.positions import batch_norm_of, convolutions, convolve, frozen_batch_norm

# Processors multiply bfloat16 in pairs of lanes: with fewer channels in a group, OpenVINO 2026.4 falls back
# to a convolution that took 51 ms of a 78 ms pass of the bundled model, and takes 0.6 of 27 with these.
_CHANNELS_PER_GROUP = 32


class TraceableForward(nn.Module):
    """Gives what `padded_forward` gives for the same model in evaluation mode.

    Args:
        model: In evaluation mode, float32; its weights are shared, except those of one convolution.
    """

    def __init__(self, model: CtcModel) -> None:
        super().__init__()
        self.model = model
        self.positions = _Positions(inner_model(model).encoder.pos_conv_embed)
        self.train(mode=False)

    def forward(self, inputs_bt: Tensor, lengths_b: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the logits [B, F, V] and the true frames [B] of each recording."""
        features_bcf, frames_b = self._extract(inputs_bt, lengths_b)
        mask_bf = _is_true(features_bcf.shape[2], frames_b)
        hidden_bfh = project(self.model, features_bcf)
        hidden_bfh = self._encode(hidden_bfh * mask_bf[:, :, None].to(hidden_bfh.dtype), mask_bf)
        return self.model.lm_head(hidden_bfh), frames_b

    def _extract(self, inputs_bt: Tensor, lengths_b: Tensor) -> tuple[Tensor, Tensor]:
        config = self.model.config
        layers: list[Any] = list(inner_model(self.model).feature_extractor.conv_layers)  # Any: untyped
        steps = list(zip(layers, config.conv_kernel, config.conv_stride, strict=True))
        hidden_bcf, frames_b = inputs_bt[:, None], lengths_b
        for index, (layer, kernel, stride) in enumerate(steps):
            frames_b = (frames_b - kernel) // stride + 1
            if index == 0 and isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm):
                convolved_bcf = layer.conv(hidden_bcf)
                hidden_bcf = layer.activation(_masked_norm(layer.layer_norm, convolved_bcf, frames_b))
            else:
                hidden_bcf = layer(hidden_bcf)
        return hidden_bcf, frames_b

    def _encode(self, hidden_bfh: Tensor, mask_bf: Tensor) -> Tensor:
        encoder = inner_model(self.model).encoder
        norm_last = has_norm_last(self.model.config)
        hidden_bfh = hidden_bfh + self.positions(hidden_bfh, mask_bf)
        if not norm_last:
            hidden_bfh = encoder.layer_norm(hidden_bfh)
        hidden_bfh = self._attend(encoder.layers, hidden_bfh, mask_bf)
        return encoder.layer_norm(hidden_bfh) if norm_last else hidden_bfh

    def _attend(self, layers: Iterable[Any], hidden_bfh: Tensor, mask_bf: Tensor) -> Tensor:
        """Go through the layers; WavLM's first computes the bias by distance that all of them share."""
        if self.model.config.model_type != "wavlm":
            for layer in layers:
                hidden_bfh = layer(hidden_bfh, attention_mask=mask_bf[:, None, None, :])
            return hidden_bfh
        bias = None
        for layer in layers:
            hidden_bfh, bias = layer(hidden_bfh, attention_mask=mask_bf.long(), position_bias=bias)
        return hidden_bfh


class _Positions(nn.Module):
    """What tells frames apart by their place, blind to padding."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self._embedding = embedding
        self.steps = nn.ModuleList(_PositionalConvolution(step) for step in convolutions(embedding))

    def forward(self, hidden_bfh: Tensor, mask_bf: Tensor) -> Tensor:
        hidden_bhf, norm = hidden_bfh.transpose(1, 2), batch_norm_of(self._embedding)
        mask_b1f = mask_bf[:, None].to(hidden_bfh.dtype)
        if norm is not None:
            hidden_bhf = frozen_batch_norm(norm, hidden_bhf) * mask_b1f
        for index, step in enumerate(self.steps):
            hidden_bhf = step(hidden_bhf * mask_b1f if index else hidden_bhf)
        return hidden_bhf.transpose(1, 2)


class _PositionalConvolution(nn.Module):
    """A grouped convolution over frames, with neighbouring small groups joined and zeros between them."""

    def __init__(self, step: Any) -> None:  # Any: its parts are untyped
        super().__init__()
        convolution: nn.Conv1d = step.conv
        self.step = step
        self._pad_frames = int(convolution.padding[0])
        joined = _groups_to_join(convolution)
        self._groups = convolution.groups // joined
        self.register_buffer("weight", _join_groups(convolution, joined))

    def forward(self, hidden_bhf: Tensor) -> Tensor:
        convolved_bhf = functional.conv1d(
            hidden_bhf,
            cast("Tensor", self.weight),
            self.step.conv.bias,
            padding=self._pad_frames,
            groups=self._groups,
        )
        return convolve(self.step, convolved_bhf)


def _groups_to_join(convolution: nn.Conv1d) -> int:
    joined, channels = 1, convolution.in_channels // convolution.groups
    while channels * joined < _CHANNELS_PER_GROUP and convolution.groups % (2 * joined) == 0:
        joined *= 2
    return joined


def _join_groups(convolution: nn.Conv1d, joined: int) -> Tensor:
    weight = convolution.weight.detach()
    outputs, inputs, kernel = weight.shape
    per_group = outputs // convolution.groups
    wide = weight.new_zeros(outputs, inputs * joined, kernel)
    for output in range(outputs):
        begin = (output // per_group) % joined * inputs
        wide[output, begin : begin + inputs] = weight[output]
    return wide


def _is_true(frames: int, frames_b: Tensor) -> Tensor:
    """Tell the true frames [B, F] from those of padding."""
    return torch.arange(frames, device=frames_b.device)[None, :] < frames_b[:, None]


def _masked_norm(norm: nn.GroupNorm, hidden_bcf: Tensor, frames_b: Tensor) -> Tensor:
    """Normalise every channel over the true frames of each recording; what comes after those is harmless."""
    mask_b1f = _is_true(hidden_bcf.shape[2], frames_b)[:, None].to(hidden_bcf.dtype)
    count_b11 = frames_b[:, None, None].to(hidden_bcf.dtype)
    mean_bc1 = (hidden_bcf * mask_b1f).sum(dim=2, keepdim=True) / count_b11
    centred_bcf = (hidden_bcf - mean_bc1) * mask_b1f
    variance_bc1 = (centred_bcf * centred_bcf).sum(dim=2, keepdim=True) / count_b11
    scale_bc1 = torch.rsqrt(variance_bc1 + norm.eps) * norm.weight[None, :, None]
    return centred_bcf * scale_bc1 + norm.bias[None, :, None]
