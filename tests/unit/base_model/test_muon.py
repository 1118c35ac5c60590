"""The optimiser of the transformer's matrices."""

import pytest
import torch
from torch import nn

from scripts.base_model import network
from scripts.base_model.learner import Learner
from scripts.base_model.muon import Muon, orthogonal
from scripts.base_model.training import optimizers


@pytest.mark.parametrize("shape", [(64, 64), (256, 64), (64, 256)])
def test_a_step_goes_about_equally_far_in_every_direction(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    scales = torch.logspace(0, -1.5, min(shape))
    left = torch.linalg.qr(torch.randn(shape[0], min(shape)))[0]
    right = torch.linalg.qr(torch.randn(shape[1], min(shape)))[0]
    values = torch.linalg.svdvals(orthogonal(left @ torch.diag(scales) @ right.T).float())
    assert 0.5 < float(values.min()) <= float(values.max()) < 1.35


def test_a_step_keeps_the_sign_of_the_gradient() -> None:
    weight = nn.Parameter(torch.zeros(32, 16))
    gradient = torch.linalg.qr(torch.randn(32, 16))[0]
    weight.grad = gradient
    Muon([weight], lr=0.1, weight_decay=0.0).step()
    assert float((weight.detach() * gradient).sum()) < 0
    torch.testing.assert_close(
        -weight.detach() / weight.detach().norm(), gradient / gradient.norm(), atol=0.02, rtol=0.1
    )


def test_it_learns_what_a_matrix_must_do() -> None:
    torch.manual_seed(1)
    truth, inputs = torch.randn(16, 16), torch.randn(256, 16)
    layer = nn.Linear(16, 16, bias=False)
    optimizer = Muon(layer.parameters(), lr=0.1, weight_decay=0.0)
    losses = []
    for _ in range(100):
        loss = (layer(inputs) - inputs @ truth.T).square().mean()
        loss.backward()
        optimizer.step()
        layer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_every_weight_of_a_learner_has_exactly_one_optimiser() -> None:
    learner = Learner(network.create(network.Shape(hidden=64, layers=2), seed=3), phonemes=5)
    held = [
        id(weight)
        for optimizer in optimizers(learner)
        for group in optimizer.param_groups
        for weight in group["params"]
    ]
    assert sorted(held) == sorted(map(id, learner.parameters()))
