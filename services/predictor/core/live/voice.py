"""Whether somebody speaks: silero-vad's small network, asked every 32 ms of a stream.

The package is used for its weights alone: importing it would set the number of threads of the whole process.
Everything here is dot products of short rows, which neither NumPy nor its BLAS spreads over threads: torch
and matrix products would wake a pool of threads for every step, most of whose time is spent waiting.

Shapes, as suffixes: n steps, s samples, f frames, c channels, h hidden, g gates, o outputs, k kernel.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.numpy import load_file

from thanosql_ctc.waveform import Samples

STEP_SAMPLES = 512
VOICE_RATE_HZ = 16_000
_CONTEXT_SAMPLES = 64
_HOP_SAMPLES = 128
_PADDING_SAMPLES = 64
_BINS = 129
_HIDDEN = 128
_GATES = 4
_TAPS = 3
# Far beyond what any recording means, and small enough that its square is a number: once a state of the
# network is none, it stays so.
_LOUDEST = 1e6
_STRIDES = {"conv1": 1, "conv2": 2, "conv3": 2, "conv4": 1}

Array = NDArray[np.float32]


def voice_weights() -> dict[str, Array]:
    """Read the weights that the package carries, a row for each output; all streams share them."""
    found = find_spec("silero_vad")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("the package silero-vad is not installed; run `make setup`")
    folder = Path(next(iter(found.submodule_search_locations)))
    read = load_file(folder / "data" / "silero_vad_16k.safetensors")
    return {name: weight.reshape(len(weight), -1).squeeze() for name, weight in read.items()}


class VoiceActivity:
    """The network on one stream; blocking, for one thread at a time.

    Args:
        weights: As `voice_weights` gives them.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._context_s = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self._rest_s = np.zeros(0, dtype=np.float32)
        self._hidden_h = np.zeros(_HIDDEN, dtype=np.float32)
        self._cell_h = np.zeros(_HIDDEN, dtype=np.float32)

    def take(self, samples: Samples) -> list[float]:
        """Answer, for each step that is complete now, how likely it is that somebody speaks in it.

        Steps that come together share calls of NumPy, but every number is a dot product of its own: what is
        heard does not depend on how the audio was cut into messages, not even by a rounding.
        """
        waiting_s = np.concatenate([self._rest_s, np.clip(samples, -_LOUDEST, _LOUDEST)])
        steps = len(waiting_s) // STEP_SAMPLES
        self._rest_s = waiting_s[steps * STEP_SAMPLES :].copy()
        if not steps:
            return []
        known_s = np.concatenate([self._context_s, waiting_s[: steps * STEP_SAMPLES]])
        self._context_s = known_s[-_CONTEXT_SAMPLES:].copy()
        inputs_ns = sliding_window_view(known_s, _CONTEXT_SAMPLES + STEP_SAMPLES)[::STEP_SAMPLES]
        return [self._step(gates_g) for gates_g in self._gates(inputs_ns)]

    def _gates(self, inputs_ns: Array) -> Array:
        """What the LSTM takes from the audio of each step: the part that does not depend on the past."""
        weights = self._weights
        hidden_nfc = _magnitudes(inputs_ns, weights["stft_conv.weight"])
        for name, stride in _STRIDES.items():
            hidden_nfc = _convolved(hidden_nfc, weights[f"{name}.weight"], weights[f"{name}.bias"], stride)
        gates_ng: Array = np.vecdot(weights["lstm_cell.weight_ih"], hidden_nfc[:, :1])
        return gates_ng + weights["lstm_cell.bias_ih"]

    def _step(self, from_input_g: Array) -> float:
        """One step of the LSTM, and what it says then."""
        weights = self._weights
        from_past_g = np.vecdot(weights["lstm_cell.weight_hh"], self._hidden_h) + weights["lstm_cell.bias_hh"]
        taken_h, kept_h, new_h, shown_h = (from_input_g + from_past_g).reshape(_GATES, _HIDDEN)
        self._cell_h = _sigmoid(kept_h) * self._cell_h + _sigmoid(taken_h) * np.tanh(new_h)
        self._hidden_h = _sigmoid(shown_h) * np.tanh(self._cell_h)
        heard_h = np.maximum(self._hidden_h, 0)
        logit = np.vecdot(weights["final_conv.weight"], heard_h) + weights["final_conv.bias"]
        return float(_sigmoid(logit))


def _magnitudes(inputs_ns: Array, kernels_ok: Array) -> Array:
    """Measure how much of each frequency there is, by a Fourier transform written as a convolution."""
    padded_ns = np.concatenate([inputs_ns, inputs_ns[:, -2 : -2 - _PADDING_SAMPLES : -1]], axis=1)
    windows_nfk = sliding_window_view(padded_ns, kernels_ok.shape[1], axis=1)[:, ::_HOP_SAMPLES]
    parts_nfo = np.vecdot(kernels_ok, windows_nfk[:, :, None])
    squares_nfo = np.square(parts_nfo)
    magnitudes_nfc: Array = np.sqrt(squares_nfo[..., :_BINS] + squares_nfo[..., _BINS:])
    return magnitudes_nfc


def _convolved(input_nfc: Array, kernels_ok: Array, bias_o: Array, stride: int) -> Array:
    """A convolution in time with one frame of padding, and what of it is positive."""
    steps, frames, channels = input_nfc.shape
    padded_nfc = np.zeros((steps, frames + 2, channels), dtype=np.float32)
    padded_nfc[:, 1:-1] = input_nfc
    windows_nfk = sliding_window_view(padded_nfc, _TAPS, axis=1)[:, ::stride].reshape(
        steps, -1, channels * _TAPS
    )
    positive_nfo: Array = np.maximum(np.vecdot(kernels_ok, windows_nfk[:, :, None]) + bias_o, 0)
    return positive_nfo


def _sigmoid(values: Array) -> Array:
    # Unlike 1 / (1 + exp(-x)) it overflows nowhere.
    between: Array = np.float32(0.5) * (np.tanh(np.float32(0.5) * values) + np.float32(1))
    return between
