"""What the encoders add to tell frames apart by their place: convolutions over frames, blind to padding.

Wav2Vec2 and WavLM have one convolution, whose zeros at the edges are those of masked padding. data2vec has
several in a row, each of which writes something into the padding that the next would read; HuBERT may have a
batch norm before it, which makes something of zeros. Both are masked in between.

Shapes, as suffixes: b batch, f frames, h hidden.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional


def convolutions(embedding: nn.Module) -> Sequence[Any]:
    """The convolutions of `pos_conv_embed`, each with `conv`, `padding` and `activation`."""
    # Any: attributes of a Module
    return list(cast("Any", embedding).layers) if hasattr(embedding, "layers") else [embedding]


def batch_norm_of(embedding: nn.Module) -> nn.BatchNorm1d | None:
    """The norm before the convolution, where there is one."""
    norm: nn.BatchNorm1d | None = getattr(embedding, "batch_norm", None)
    return norm


def frozen_batch_norm(norm: nn.BatchNorm1d, hidden_bhf: Tensor) -> Tensor:
    """Normalise by what was learned, in training too: the statistics of a batch depend on its company."""
    return functional.batch_norm(
        hidden_bhf, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=False, eps=norm.eps
    )


def masked_positions(encoder: nn.Module, mask_bf: Tensor | None) -> nn.Module:
    """The encoder, where its convolutions would see padding in a copy that shares all its weights."""
    embedding = cast("nn.Module", encoder.pos_conv_embed)
    if batch_norm_of(embedding) is None and (mask_bf is None or len(convolutions(embedding)) == 1):
        return encoder
    masking: nn.Module = copy.copy(encoder)
    masking._modules = dict(encoder._modules)  # a copy shares them; what is set below is the copy's alone
    masking.pos_conv_embed = _MaskedEmbedding(embedding, mask_bf)
    return masking


class _MaskedEmbedding(nn.Module):
    """Gives for every recording what the embedding gives for it alone."""

    def __init__(self, embedding: nn.Module, mask_bf: Tensor | None) -> None:
        super().__init__()
        self._embedding = embedding
        self._mask_bf = mask_bf

    def forward(self, hidden_bfh: Tensor) -> Tensor:
        hidden_bhf = hidden_bfh.transpose(1, 2)
        norm = batch_norm_of(self._embedding)
        if norm is not None:
            hidden_bhf = frozen_batch_norm(norm, hidden_bhf)
        for step in convolutions(self._embedding):
            if self._mask_bf is not None:
                hidden_bhf = hidden_bhf * self._mask_bf[:, None, :].to(hidden_bhf.dtype)
            hidden_bhf = convolve(step, step.conv(hidden_bhf))
        return hidden_bhf.transpose(1, 2)


def convolve(step: Any, convolved_bhf: Tensor) -> Tensor:  # Any: attributes of a Module
    """What follows a convolution: the surplus frame cut off, data2vec's norm, the activation."""
    hidden_bhf = step.padding(convolved_bhf)
    if hasattr(step, "layer_norm"):
        hidden_bhf = step.layer_norm(hidden_bhf.transpose(1, 2)).transpose(1, 2)
    activated_bhf: Tensor = step.activation(hidden_bhf)
    return activated_bhf
