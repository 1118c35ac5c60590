"""What the network is asked to write while it trains, and that it learns to."""

import shutil
from pathlib import Path

import pytest
import torch

from scripts.base_model import network, phonemes
from scripts.base_model.learner import Learner, disagreement


@pytest.fixture
def learner() -> Learner:
    torch.manual_seed(1)
    return Learner(network.create(network.Shape(hidden=64, layers=2), seed=3), phonemes=5)


def test_loss_falls_on_what_is_heard_again_and_again(learner: Learner) -> None:
    samples = torch.randn(2, 32_000)
    views = (samples, samples + 0.1 * torch.randn(2, 32_000))
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        readings = [learner(view, [32_000, 16_000]) for view in views]
        loss = learner.loss(readings, [[7, 8, 9], [5]], [[1, 2], [3]])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_noise_without_a_word_has_a_loss_too(learner: Learner) -> None:
    reading = learner(torch.randn(2, 32_000), [32_000, 16_000])
    loss = learner.loss([reading], [[], []], [[], []])
    assert torch.isfinite(loss)
    assert float(loss.detach()) > 0


def test_disagreement_is_nothing_between_equals_and_counts_true_frames_alone() -> None:
    one, other = torch.randn(2, 2, 7, 5).log_softmax(-1)
    frames = torch.tensor([7, 3])
    assert float(disagreement([one], frames)) == 0
    assert float(disagreement([one, one], frames)) == pytest.approx(0, abs=1e-5)
    apart = (other.exp() - one.exp()) * (other - one)  # both directions at once
    wanted = (apart[0].sum() + apart[1, :3].sum()) / 2
    assert float(disagreement([one, other], frames)) == pytest.approx(float(wanted), rel=1e-4)


def test_views_that_disagree_are_drawn_together() -> None:
    views = [torch.randn(1, 4, 5, requires_grad=True) for _ in range(2)]
    steps = torch.optim.SGD(views, lr=0.5)
    apart = []
    for _ in range(30):
        loss = disagreement([view.log_softmax(-1) for view in views], torch.tensor([4]))
        loss.backward()
        steps.step()
        steps.zero_grad()
        apart.append(float(loss.detach()))
    assert apart[-1] < 0.1 * apart[0]


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
