"""The shape of the small recogniser, and convolutions that start as the features speech is known by.

The first layer is a bank of band-pass filters, each normalised over the recording: that takes the colour of
microphone and speaker away, as cepstral mean and variance normalisation does. The second tells how loud each
band is on a scale that is fine where it is quiet, as a logarithm does.

Legend of shapes: B batch, S samples, T frames, V vocabulary; of the filter bank: b recordings, s samples,
t frames, c bands or filters, k samples of a filter.
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from scripts.base_model import devices
from scripts.base_model.letters import VOCABULARY

BANDS = 40
PHASES = 4
# Loudness of a band over its mean in the recording, up to which a unit answers: steps of about 8 dB.
_THRESHOLDS = (0.1, 0.25, 0.6, 1.5, 3.5)
# Lifts quiet bands out of the part of GELU that squares.
_FIRST_GAIN = 8.0
_STEEPNESS = 3.0
_HIGHEST_HZ = 7700.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What was tried against the clock; the rest of the network follows from it."""

    hidden: int = 256
    layers: int = 8
    stride: int = 120


def configuration(shape: Shape) -> Wav2Vec2Config:
    """Describe the network in transformers' words.

    Batches are run by thanosql_ctc.batch_invariant, whose norms see each recording alone.
    """
    first, second = BANDS * PHASES, BANDS * (len(_THRESHOLDS) + 1)
    return Wav2Vec2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden // 64,
        intermediate_size=4 * shape.hidden,
        conv_dim=(first, second, shape.hidden),
        conv_kernel=(400, 5, 5),
        conv_stride=(shape.stride, 2, 2),
        conv_bias=True,
        feat_extract_norm="group",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=16,
        hidden_dropout=0.08,
        # Drawing random numbers took a fifth of a training step: the cheapest place gets all the dropout.
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.05,
        layerdrop=0.0,
        # For those who fine-tune it: with frames hidden, an epoch on few recordings taught next to nothing.
        # Not 0, or there would be nothing to hide them with; the training here has masks of its own.
        mask_time_prob=0.01,
        mask_time_min_masks=0,
        mask_time_length=8,
        mask_feature_prob=0.0,
        ctc_loss_reduction="mean",
        ctc_zero_infinity=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def create(shape: Shape, seed: int) -> Wav2Vec2ForCTC:
    """Return an untrained network whose first two layers already measure how loud 40 bands are."""
    torch.manual_seed(seed)
    model = Wav2Vec2ForCTC(configuration(shape))
    weights = dict(model.wav2vec2.feature_extractor.named_parameters())
    with torch.no_grad():
        first, second = weights["conv_layers.0.conv.weight"], weights["conv_layers.1.conv.weight"]
        first.copy_(band_pass(first.shape[-1]))
        weights["conv_layers.0.conv.bias"].zero_()
        weights["conv_layers.0.layer_norm.weight"].fill_(_FIRST_GAIN)
        weights["conv_layers.0.layer_norm.bias"].zero_()
        loudness = _sums_of_phases(second.shape[-1])
        second.copy_(torch.cat([*(-_STEEPNESS / level * loudness for level in _THRESHOLDS), loudness]))
        weights["conv_layers.1.conv.bias"].copy_(
            torch.tensor([_STEEPNESS] * len(_THRESHOLDS) + [0.0]).repeat_interleave(BANDS)
        )
    return model


class FilterBank(nn.Module):
    """The first convolution, whose filters may stand elsewhere for each recording of a batch.

    Args:
        convolution: Over one channel, and not trained; its weights are shared, under the same names.
    """

    def __init__(self, convolution: nn.Conv1d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self._stride = convolution.stride
        self.shift_bc: Tensor | None = None

    def forward(self, samples_b1s: Tensor) -> Tensor:
        """Filter, with the bank as it is or with each recording's own."""
        if self.shift_bc is None:
            return functional.conv1d(samples_b1s, self.weight, self.bias, self._stride)
        kernel = self.weight.shape[-1]
        filters_bck = band_pass(kernel, devices.put(self.shift_bc, samples_b1s.device)).squeeze(2)
        framed_btk = samples_b1s[:, 0].unfold(1, kernel, self._stride[0])
        heard_btc = torch.bmm(framed_btk, filters_bck.transpose(1, 2))
        return (heard_btc if self.bias is None else heard_btc + self.bias).transpose(1, 2)


def save_time(model: Wav2Vec2ForCTC) -> None:
    """Leave out of the training what costs time and teaches little; the configuration is not touched.

    * The first layer: its filters are good from the start, and its gradient is the dearest of all.
    * transformers' own masks, drawn slowly: regularise.py has its own.
    * The slower attention (devices.py).
    """
    model.wav2vec2.config = copy.deepcopy(model.config)
    model.wav2vec2.config.apply_spec_augment = False
    model.wav2vec2.feature_extractor.conv_layers[0].requires_grad_(requires_grad=False)
    model.wav2vec2.feature_extractor._requires_grad = False  # else it asks for the gradient of the samples
    model.set_attn_implementation(devices.attention(model.lm_head.weight.device))


def band_pass(kernel: int, shift: Tensor | None = None) -> Tensor:
    """Windowed sines at mel-spaced frequencies, each in four phases a quarter turn apart.

    Args:
        kernel: Their samples.
        shift: Added to the logarithm of each band's frequency, [..., BANDS]: a bank for each of its rows.

    Returns:
        [..., BANDS * PHASES, 1, kernel], on the device of the shift.
    """
    device = None if shift is None else shift.device
    mels = torch.linspace(_mel(80.0), _mel(7400.0), BANDS, device=device)
    hertz = 700 * (torch.exp(mels / 1127) - 1)
    if shift is not None:
        hertz = (hertz * torch.exp(shift)).clamp(max=_HIGHEST_HZ)
    time_s = (torch.arange(kernel, device=device) - (kernel - 1) / 2) / 16_000
    # High bands are wide, so their windows are short; low bands use the whole kernel.
    width_s = (3.0 / (24.7 + 0.108 * hertz)).clamp(max=kernel / 16_000 / 2)
    window = torch.exp(-2 * (time_s / width_s[..., None]) ** 2)
    window /= window.sum(dim=-1, keepdim=True)
    angle = 2 * math.pi * hertz[..., None] * time_s
    phases = [torch.cos(angle + turn * math.pi / 2) for turn in range(PHASES)]
    bank = torch.stack([window * phase for phase in phases], dim=-2)
    return bank.reshape(*hertz.shape[:-1], BANDS * PHASES, 1, kernel)


def _sums_of_phases(kernel: int) -> Tensor:
    """Average the four rectified phases of a band over a short time: the amplitude of a steady sine."""
    taps = torch.bartlett_window(kernel + 2, periodic=False)[1:-1]
    weight = torch.zeros(BANDS, BANDS, PHASES, kernel)
    weight[range(BANDS), range(BANDS)] = taps / taps.sum() / _FIRST_GAIN / (PHASES / math.pi)
    return weight.reshape(BANDS, BANDS * PHASES, kernel)


def _mel(hertz: float) -> float:
    return 1127 * math.log(1 + hertz / 700)
