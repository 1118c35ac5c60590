"""The voice detector: hears people, and neither silence nor noise, however the audio is cut."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from services.predictor.core.live.voice import STEP_SAMPLES, VoiceActivity, voice_weights
from tests.deployment import ROOT, SHARED_DATA
from thanosql_audio.decoding import decode
from thanosql_ctc.waveform import Samples

RECORDING = ROOT / "examples/tutorial_data/librispeech_data/audio/test_001.flac"


def probabilities(samples: Samples) -> np.ndarray:
    return np.array(VoiceActivity(voice_weights()).take(samples))


def share_of_speech(path: Path) -> float:
    return float((probabilities(decode(path.read_bytes()).samples) >= 0.5).mean())


def as_torch_computes(samples: Samples) -> list[float]:
    """The network written down again with torch's own layers, on the package's own shapes."""
    weights = {name: torch.from_numpy(weight) for name, weight in voice_weights().items()}
    state = (torch.zeros(1, 128), torch.zeros(1, 128))
    cell = [weights[f"lstm_cell.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    heard, whole = [], functional.pad(torch.from_numpy(samples), (64, 0))
    for begin in range(0, len(samples) - STEP_SAMPLES + 1, STEP_SAMPLES):
        padded = functional.pad(whole[None, None, begin : begin + 64 + STEP_SAMPLES], (0, 64), mode="reflect")
        parts = functional.conv1d(padded, weights["stft_conv.weight"][:, None], stride=128)
        hidden = (parts[:, :129].square() + parts[:, 129:].square()).sqrt()
        for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2), ("conv4", 1)):
            kernel = weights[f"{name}.weight"].reshape(len(weights[f"{name}.bias"]), -1, 3)
            bias = weights[f"{name}.bias"]
            hidden = functional.conv1d(hidden, kernel, bias, stride=stride, padding=1).relu()
        state = torch.lstm_cell(hidden[..., 0], state, *cell)
        logit = state[0].relu() @ weights["final_conv.weight"] + weights["final_conv.bias"]
        heard.append(float(torch.sigmoid(logit)))
    return heard


def test_the_numbers_are_those_of_torch() -> None:
    samples = decode(RECORDING.read_bytes()).samples[:80_000]
    with torch.inference_mode():
        expected = as_torch_computes(samples)
    np.testing.assert_allclose(probabilities(samples), expected, atol=1e-4)


THREADS_BEGUN = """
import os
import numpy as np
from services.predictor.core.live.voice import VoiceActivity, voice_weights
voice = VoiceActivity(voice_weights())
before = len(os.listdir("/proc/self/task"))
voice.take(np.zeros(16_000, dtype=np.float32))
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs the threads of a process")
def test_listening_for_a_voice_begins_no_threads() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", THREADS_BEGUN]
    begun = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert int(begun.stdout) == 0


def test_a_voice_is_heard() -> None:
    assert share_of_speech(RECORDING) > 0.5


@pytest.mark.parametrize("level", [0.0, 0.01, 0.3])
def test_silence_and_noise_are_no_voice(level: float) -> None:
    noise = level * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    assert probabilities(noise.astype(np.float32)).max() < 0.35


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no shared data")
@pytest.mark.parametrize("path", ["noise/fridge.wav", "noise/traffic.wav", "formats/speechbrain__noise4.wav"])
def test_real_noise_is_no_voice(path: str) -> None:
    assert share_of_speech(SHARED_DATA / path) < 0.02


def test_a_voice_is_heard_behind_a_sample_that_is_absurdly_loud() -> None:
    samples = decode(RECORDING.read_bytes()).samples.copy()
    samples[100] = 1e20
    heard = probabilities(samples)
    assert np.isfinite(heard).all()
    assert heard.max() > 0.9


def test_the_way_in_which_audio_is_cut_makes_no_difference_at_all() -> None:
    samples = decode(RECORDING.read_bytes()).samples[:24_000]
    whole = probabilities(samples)
    assert len(whole) == len(samples) // STEP_SAMPLES
    cut = VoiceActivity(voice_weights())
    pieces = [cut.take(part) for part in np.split(samples, [1, 100, 611, 5000, 5001])]
    assert [probability for piece in pieces for probability in piece] == whole.tolist()
