"""The voice detector: hears people, and neither silence nor noise, however the audio is cut."""

from pathlib import Path

import numpy as np
import pytest

from services.predictor.core.live.voice import STEP_SAMPLES, VoiceActivity, voice_weights
from tests.deployment import ROOT, SHARED_DATA
from thanosql_audio.decoding import decode
from thanosql_ctc.waveform import Samples

RECORDING = ROOT / "examples/tutorial_data/librispeech_data/audio/test_001.flac"


def probabilities(samples: Samples) -> np.ndarray:
    return np.array(VoiceActivity(voice_weights()).take(samples))


def share_of_speech(path: Path) -> float:
    return float((probabilities(decode(path.read_bytes()).samples) >= 0.5).mean())


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


def test_the_way_in_which_audio_is_cut_makes_no_difference_at_all() -> None:
    samples = decode(RECORDING.read_bytes()).samples[:24_000]
    whole = probabilities(samples)
    assert len(whole) == len(samples) // STEP_SAMPLES
    cut = VoiceActivity(voice_weights())
    pieces = [cut.take(part) for part in np.split(samples, [1, 100, 611, 5000, 5001])]
    assert [probability for piece in pieces for probability in piece] == whole.tolist()
