"""Everything of a training step that meets on a device lies there.

The device is torch's `meta`, which every machine has: it computes nothing, and refuses tensors of another.
"""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import masking_utils

from scripts.base_model import devices, learner, network
from scripts.base_model.augment import Augmenter, Chances, Heard
from scripts.base_model.learner import Learner, disagreement
from scripts.base_model.noise import NoiseBank
from scripts.base_model.regularise import Dropout, OtherVoices, SpecAugment, dropout_for, use_dropout
from scripts.base_model.training import optimizers
from thanosql_ctc import batch_invariant

META = torch.device("meta")
LENGTHS = [32_000, 16_000]


@pytest.fixture(autouse=True)
def _like_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what `meta` cannot do: 16 bits, a look at a mask, and CTC, whose arguments are checked."""
    monkeypatch.setattr(masking_utils, "_ignore_bidirectional_mask_sdpa", lambda *_how: False)
    monkeypatch.setattr(devices, "bfloat16", lambda _device: nullcontext())
    monkeypatch.setattr(batch_invariant, "_masked_group_norm", batch_invariant._group_norm_by_sums)
    monkeypatch.setattr(learner.nn.functional, "ctc_loss", checked_ctc_loss)


def checked_ctc_loss(
    log_probs: Tensor, labels: Tensor, frames: Tensor, counts: Tensor, **_how: object
) -> Tensor:
    assert labels.device == log_probs.device
    assert frames.device.type == counts.device.type == "cpu"
    return -log_probs.sum()


def test_what_lies_elsewhere_is_refused() -> None:
    with pytest.raises(RuntimeError):
        torch.zeros(3, device=META) + torch.zeros(3)


def test_speech_is_varied_where_it_lies() -> None:
    bank = NoiseBank([], META, np.random.default_rng(1))
    always = Chances(speed=1, colour=1, room=1, telephone=1, noise=1)
    speech = Heard(samples_bs=torch.zeros(2, 32_000, device=META), lengths=LENGTHS)
    heard = Augmenter(bank, always).vary(speech, [False, True], 2, np.random.default_rng(2))
    assert heard.samples_bs.device == META
    assert heard.samples_bs.shape == (4, max(heard.lengths))


def test_a_step_of_training_meets_on_one_device() -> None:
    model = network.create(network.Shape(hidden=64, layers=2), seed=3)
    learns = Learner(model, phonemes=5).to(META)
    network.save_time(model)
    drawn = np.random.default_rng(1)
    masks, voices = SpecAugment(model, drawn), OtherVoices(model, drawn)
    masks.set_hardness(1.0)
    voices.set_hardness(1.0)
    use_dropout(model, dropout_for(META, drawn))
    with masks.applied(), voices.applied(4):
        reading = learns(torch.zeros(4, 32_000, device=META), LENGTHS * 2)
    assert reading.frames.device.type == "cpu"
    loss = learns.loss(reading.views(2), [[7, 8], [5]], [[1], [2, 3]])
    assert loss.device == META
    torch.autograd.backward(loss)
    muon, _adam = optimizers(learns)  # the fused step of the other takes no `meta`
    muon.step()
    assert {weight.device for weight in learns.parameters()} == {META}


def test_views_are_compared_where_they_lie() -> None:
    views = [torch.zeros(2, 7, 5, device=META).log_softmax(-1) for _ in range(2)]
    assert disagreement(views, torch.tensor([7, 3])).device == META


def test_a_gpu_gets_its_own_dropout_and_attention() -> None:
    cuda = torch.device("cuda")
    assert type(dropout_for(cuda, np.random.default_rng(1))) is Dropout
    assert devices.attention(cuda) == "sdpa"
    assert devices.attention(torch.device("cpu")) == "eager"


def test_a_gpu_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.pick("auto").type == "cpu"
    with pytest.raises(RuntimeError, match="torch sees no GPU here"):
        devices.pick("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.pick("auto").type == "cuda"
    assert devices.pick("cpu").type == "cpu"


def test_sums_over_a_batch_normalise_as_recordings_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    norm = torch.nn.GroupNorm(3, 6)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    hidden = 5 + torch.randn(4, 6, 50)
    frames = [50, 20, 33, 1]
    one_by_one = batch_invariant._masked_group_norm(norm, hidden, frames)
    at_once = batch_invariant._group_norm_by_sums(norm, hidden, frames)
    torch.testing.assert_close(at_once, one_by_one, atol=1e-4, rtol=1e-4)
