"""Whether somebody speaks: silero-vad's small network, asked every 32 ms of a stream.

The package is used for its weights alone: importing it would set the number of threads of the whole process.

Shapes, as suffixes: b batch, s samples, f frames, c channels, h hidden.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from thanosql_ctc.waveform import Samples

STEP_SAMPLES = 512
VOICE_RATE_HZ = 16_000
_CONTEXT_SAMPLES = 64
_HOP_SAMPLES = 128
_PADDING_SAMPLES = 64
_BINS = 129
_HIDDEN = 128
_STRIDES = {"conv1": 1, "conv2": 2, "conv3": 2, "conv4": 1}


def voice_weights() -> dict[str, Tensor]:
    """Read the weights that the package carries; all streams share them."""
    found = find_spec("silero_vad")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("the package silero-vad is not installed; run `make setup`")
    folder = Path(next(iter(found.submodule_search_locations)))
    return load_file(folder / "data" / "silero_vad_16k.safetensors")


class VoiceActivity:
    """The network on one stream; blocking, for one thread at a time.

    Args:
        weights: As `voice_weights` gives them.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights
        self._context_s = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self._rest_s = np.zeros(0, dtype=np.float32)
        self._state_bh = (torch.zeros(1, _HIDDEN), torch.zeros(1, _HIDDEN))

    def take(self, samples: Samples) -> list[float]:
        """Answer, for each step that is complete now, how likely it is that somebody speaks in it.

        Steps go through one by one, however many come at once: what is heard does not depend on how the
        audio was cut into messages, not even by a rounding.
        """
        waiting_s = np.concatenate([self._rest_s, samples])
        steps = len(waiting_s) // STEP_SAMPLES
        self._rest_s = waiting_s[steps * STEP_SAMPLES :]
        with torch.inference_mode():
            whole_s = waiting_s[: steps * STEP_SAMPLES]
            return [self._step(step_s) for step_s in whole_s.reshape(steps, STEP_SAMPLES)]

    def _step(self, step_s: Samples) -> float:
        weights = self._weights
        input_bcs = torch.from_numpy(np.concatenate([self._context_s, step_s]))[None, None]
        self._context_s = step_s[-_CONTEXT_SAMPLES:]
        hidden_bcf = _magnitudes(input_bcs, weights["stft_conv.weight"])
        for name, stride in _STRIDES.items():
            kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            hidden_bcf = functional.conv1d(hidden_bcf, kernel, bias, stride=stride, padding=1).relu()
        self._state_bh = torch.lstm_cell(
            hidden_bcf[..., 0],
            self._state_bh,
            weights["lstm_cell.weight_ih"],
            weights["lstm_cell.weight_hh"],
            weights["lstm_cell.bias_ih"],
            weights["lstm_cell.bias_hh"],
        )
        heard_bcf = self._state_bh[0].relu()[..., None]
        logit = functional.conv1d(heard_bcf, weights["final_conv.weight"], weights["final_conv.bias"])
        return float(torch.sigmoid(logit))


def _magnitudes(input_bcs: Tensor, kernels: Tensor) -> Tensor:
    """Measure how much of each frequency there is, by a Fourier transform written as a convolution."""
    padded_bcs = functional.pad(input_bcs, (0, _PADDING_SAMPLES), mode="reflect")
    parts_bcf = functional.conv1d(padded_bcs, kernels, stride=_HOP_SAMPLES)
    return (parts_bcf[:, :_BINS].square() + parts_bcf[:, _BINS:].square()).sqrt()
