"""What the network is asked to write while it trains, and that it learns to."""

import shutil
from pathlib import Path

import pytest
import torch

from scripts.base_model import network, phonemes


@pytest.fixture
def learner() -> network.Learner:
    torch.manual_seed(1)
    return network.Learner(network.create(network.Shape(hidden=64, layers=2), seed=3), phonemes=5)


def test_loss_falls_on_what_is_heard_again_and_again(learner: network.Learner) -> None:
    samples = torch.randn(2, 32_000)
    batch = (samples, [32_000, 16_000], [[7, 8, 9], [5]], [[1, 2], [3]])
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss = learner(*batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_noise_without_a_word_has_a_loss_too(learner: network.Learner) -> None:
    loss = learner(torch.randn(2, 32_000), [32_000, 16_000], [[], []], [[], []])
    assert torch.isfinite(loss)
    assert float(loss.detach()) > 0


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_words_are_pronounced_without_their_stress_and_kept(tmp_path: Path) -> None:
    sounds = phonemes.look_up(["SEA SEE", "SHIP", "SHEEP"], fewest=1)
    assert sounds.words["SEA"] == sounds.words["SEE"]
    assert sounds.words["SHIP"] != sounds.words["SHEEP"]
    assert sounds.labels("SEE SHIP") == sounds.words["SEE"] + sounds.words["SHIP"]
    assert all(0 < label <= len(sounds.symbols) for word in sounds.words.values() for label in word)
    assert not any("ˈ" in symbol or "ˌ" in symbol for symbol in sounds.symbols)
    phonemes.write(tmp_path / "phonemes.json", sounds)
    assert phonemes.read(tmp_path / "phonemes.json") == sounds
    with pytest.raises(KeyError):
        sounds.labels("WHALE")
