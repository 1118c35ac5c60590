"""A forward pass in which padding changes nothing: a recording in a batch gives what it gives alone.

Two things leak between a recording and its padding in Wav2Vec2 and its kin. The first group norm ("group"
models) takes its statistics over the whole padded length; here each recording is normalised over its own.
Attention looks at padded frames; here it is masked, which also zeroes them before the positional convolution
(`positions` has those that need more). The other convolutions are not padded, so a true frame never sees
beyond the true samples.

Shapes, as suffixes: b batch, t samples, f frames, c channels, h hidden, v labels.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from thanosql_ctc.families import CtcConfig, CtcModel, inner_model
from thanosql_ctc.positions import masked_positions
from thanosql_ctc.waveform import Samples


def output_frames(config: CtcConfig, samples: int) -> int:
    """Count the frames that `samples` samples give; 0 where they are shorter than the receptive field."""
    frames = samples
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        frames = (frames - kernel) // stride + 1 if frames >= kernel else 0
    return frames


def receptive_field(config: CtcConfig) -> int:
    """Count the samples that the first frame needs: the shortest input the model takes."""
    samples = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def samples_per_frame(config: CtcConfig) -> int:
    """Count the samples between two frames."""
    return int(np.prod(config.conv_stride))


def padded_forward(model: CtcModel, inputs_bt: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Run the model on a batch padded at its end; for inference and for training alike.

    In training mode SpecAugment, dropout and layer drop work as in `model.forward`.

    Args:
        model: As `load_checkpoint` gives it, in any mode and precision.
        inputs_bt: Normalised waveforms; what stands after a recording's length is ignored.
        lengths: Samples of each recording, none shorter than `receptive_field(config)`.

    Returns:
        logits [B, F, V] and the frames [B] of each recording; logits after those mean nothing.
    """
    hidden_bfh, frames_b = padded_hidden(model, inner_model(model).encoder, inputs_bt, lengths)
    logits_bfv: Tensor = model.lm_head(model.dropout(hidden_bfh))
    return logits_bfv, frames_b


def padded_hidden(
    model: CtcModel, encoder: nn.Module, inputs_bt: Tensor, lengths: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Run a batch padded at its end through an encoder of the model: its own, or `lower_encoder`.

    Args:
        model: As `load_checkpoint` gives it, in any mode and precision.
        encoder: What the features go through.
        inputs_bt: As for `padded_forward`.
        lengths: As for `padded_forward`.

    Returns:
        what the encoder gives [B, F, H] and the frames [B] of each recording; what comes after those means
        nothing.
    """
    _check_lengths(model.config, inputs_bt, lengths)
    frame_lengths = [output_frames(model.config, length) for length in lengths]
    features_bcf = _extract(model, inputs_bt, lengths)
    frames_b = torch.tensor(frame_lengths).to(inputs_bt.device, non_blocking=True)
    mask_bf: Tensor | None = None
    if min(frame_lengths) < features_bcf.shape[2]:
        positions_f = torch.arange(features_bcf.shape[2], device=inputs_bt.device)
        mask_bf = positions_f[None, :] < frames_b[:, None]
    base = inner_model(model)
    hidden_bfh = project(model, features_bcf)
    hidden_bfh = base._mask_hidden_states(hidden_bfh, attention_mask=mask_bf)
    masked = masked_positions(encoder, mask_bf)
    hidden_bfh = masked(hidden_bfh, attention_mask=mask_bf).last_hidden_state
    return hidden_bfh, frames_b


def project(model: CtcModel, features_bcf: Tensor) -> Tensor:
    """From what the convolutions over samples give to what the encoder takes [B, F, H]."""
    projected = inner_model(model).feature_projection(features_bcf.transpose(1, 2))
    hidden_bfh: Tensor = projected[0] if isinstance(projected, tuple) else projected  # HuBERT gives no pair
    return hidden_bfh


def lower_encoder(model: CtcModel, layers: int) -> nn.Module:
    """The encoder cut off after its first layers, whose weights it shares.

    It gives what the last of them gives: the norm behind the whole encoder was not trained for that.
    """
    whole = inner_model(model).encoder
    if not 1 <= layers <= len(whole.layers):
        raise ValueError(f"an encoder of {len(whole.layers)} layers has no layer {layers}")
    lower: nn.Module = copy.copy(whole)
    lower._modules = dict(whole._modules)  # a copy shares them; what is set below is the copy's alone
    lower.layers = whole.layers[:layers]
    if has_norm_last(model.config):
        lower.layer_norm = nn.Identity()
    return lower


def has_norm_last(config: CtcConfig) -> bool:
    """Whether the encoder's norm stands behind its layers, rather than before them; data2vec's never does."""
    return bool(getattr(config, "do_stable_layer_norm", False))


def batch_logits(model: CtcModel, samples: Sequence[Samples]) -> list[Tensor]:
    """Infer the logits [F_i, V], float32 on the CPU, of each recording; equal to running each alone.

    Args:
        model: In evaluation mode.
        samples: Waveforms as `normalise_waveform` gives them where the checkpoint asks for it. One shorter
            than the receptive field is filled up with zeros and gives one frame.
    """
    shortest = receptive_field(model.config)
    lengths = [max(shortest, len(waveform)) for waveform in samples]
    inputs = np.zeros((len(samples), max(lengths)), dtype=np.float32)
    for row, waveform in zip(inputs, samples, strict=True):
        row[: len(waveform)] = waveform
    weight = model.lm_head.weight
    with torch.inference_mode():
        inputs_bt = torch.from_numpy(inputs).to(device=weight.device, dtype=weight.dtype)
        logits_bfv, frames_b = padded_forward(model, inputs_bt, lengths)
        logits_bfv = logits_bfv.float().cpu()
    return [logits[:frames] for logits, frames in zip(logits_bfv, frames_b.tolist(), strict=True)]


def _check_lengths(config: CtcConfig, inputs_bt: Tensor, lengths: Sequence[int]) -> None:
    if inputs_bt.ndim != 2 or len(lengths) != inputs_bt.shape[0]:
        raise ValueError(
            f"one length for each row is needed: {len(lengths)} for shape {tuple(inputs_bt.shape)}"
        )
    shortest = receptive_field(config)
    if min(lengths) < shortest or max(lengths) > inputs_bt.shape[1]:
        raise ValueError(
            f"lengths must lie in {shortest}..{inputs_bt.shape[1]}, got {min(lengths)}..{max(lengths)}"
        )


def _extract(model: CtcModel, inputs_bt: Tensor, lengths: Sequence[int]) -> Tensor:
    layers: list[Any] = list(inner_model(model).feature_extractor.conv_layers)  # Any: attributes of a Module
    first, *rest = layers
    padded = min(lengths) < inputs_bt.shape[1]
    hidden_bcf: Tensor = inputs_bt[:, None]
    if padded and isinstance(first.layer_norm, nn.GroupNorm):
        kernel, stride = model.config.conv_kernel[0], model.config.conv_stride[0]
        frame_lengths = [(length - kernel) // stride + 1 for length in lengths]
        hidden_bcf = first.activation(
            _masked_group_norm(first.layer_norm, first.conv(hidden_bcf), frame_lengths)
        )
    else:
        hidden_bcf = first(hidden_bcf)
    for layer in rest:
        hidden_bcf = layer(hidden_bcf)
    return hidden_bcf


def _masked_group_norm(norm: nn.GroupNorm, hidden_bcf: Tensor, frame_lengths: Sequence[int]) -> Tensor:
    """Normalise each recording over its own frames with the very operation that runs without padding.

    A loop, not masked sums: it is exact, and keeps no temporaries of the size of this, the widest tensor. A
    GPU takes the sums: it starts an operation for each recording of a batch as slowly as one for all.
    """
    if hidden_bcf.device.type == "cuda":
        return _group_norm_by_sums(norm, hidden_bcf, frame_lengths)
    longest = hidden_bcf.shape[2]
    rows = []
    for hidden_cf, frames in zip(hidden_bcf, frame_lengths, strict=True):
        true_1cf = hidden_cf[None, :, :frames]
        normed_1cf = functional.group_norm(true_1cf, norm.num_groups, norm.weight, norm.bias, norm.eps)
        rows.append(functional.pad(normed_1cf, (0, longest - frames)))
    return torch.cat(rows)


def _group_norm_by_sums(norm: nn.GroupNorm, hidden_bcf: Tensor, frame_lengths: Sequence[int]) -> Tensor:
    """Do the same for all recordings at once; equal to it within rounding."""
    rows, channels, longest = hidden_bcf.shape
    frames_b = torch.tensor(frame_lengths).to(hidden_bcf.device, non_blocking=True)
    true_b1f = (torch.arange(longest, device=hidden_bcf.device) < frames_b[:, None])[:, None]
    grouped = hidden_bcf.float().masked_fill(~true_b1f, 0.0).view(rows, norm.num_groups, -1, longest)
    counts = (frames_b * (channels // norm.num_groups))[:, None, None, None]
    centred = grouped - grouped.sum((2, 3), keepdim=True) / counts
    centred = centred.view(rows, channels, longest).masked_fill(~true_b1f, 0.0).view_as(grouped)
    variance = centred.square().sum((2, 3), keepdim=True) / counts
    normed_bcf = (centred * torch.rsqrt(variance + norm.eps)).view(rows, channels, longest)
    normed_bcf = normed_bcf * norm.weight[:, None] + norm.bias[:, None]
    return normed_bcf.masked_fill(~true_b1f, 0.0)
