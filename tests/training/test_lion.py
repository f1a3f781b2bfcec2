"""Lion is its paper's program, number by number."""

import pytest
import torch
from torch import nn

from tellapart.training.lion import Lion


def sign(x):
    return (x > 0) - (x < 0)


def plain_lion(weights, gradients, *, rate, beta1, beta2, decay):
    """Program 1 of the paper on plain numbers, one weight at a time."""
    momenta = [0.0] * len(weights)
    for step in gradients:
        for index, gradient in enumerate(step):
            update = sign(beta1 * momenta[index] + (1 - beta1) * gradient)
            weights[index] -= rate * (update + decay * weights[index])
            momenta[index] = beta2 * momenta[index] + (1 - beta2) * gradient
    return weights, momenta


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.0), (0.0, 0.9)])
def test_steps_are_those_of_the_papers_program(decay, betas):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    gradients = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    weight = nn.Parameter(start.clone())
    optimizer = Lion([weight], lr=0.01, betas=betas, weight_decay=decay)
    for gradient in gradients:
        weight.grad = gradient.view(2, 3).clone()
        optimizer.step()
    wanted, momenta = plain_lion(
        start.flatten().tolist(),
        gradients.tolist(),
        rate=0.01,
        beta1=betas[0],
        beta2=betas[1],
        decay=decay,
    )
    torch.testing.assert_close(weight.detach().flatten(), torch.tensor(wanted).double())
    kept = optimizer.state[weight]
    assert list(kept) == ["momentum"]
    torch.testing.assert_close(kept["momentum"].flatten(), torch.tensor(momenta).double())


def test_every_weight_moves_by_the_rate_however_large_its_gradient():
    weight = nn.Parameter(torch.zeros(4))
    optimizer = Lion([weight], lr=0.25, betas=(0.9, 0.99))
    weight.grad = torch.tensor([1e-6, -1e6, 3.0, 0.0])
    optimizer.step()
    assert weight.tolist() == [-0.25, 0.25, -0.25, 0.0]
