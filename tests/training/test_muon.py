"""Muon moves matrices as torch's own Muon does, and everything else as torch's AdamW."""

import doctest

import pytest
import torch
from torch import nn

from tellapart.training import muon
from tellapart.training.muon import Muon, orthogonalized


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6), (1, 7), (7, 1)])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e6])
def test_it_evens_out_singular_values_and_keeps_singular_vectors(shape, scale):
    matrix = scale * drawn(*shape)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalized(matrix)
    evened = left.T @ result @ right.T
    assert evened.diag().min() > 0.6
    assert evened.diag().max() < 1.3
    torch.testing.assert_close(
        evened - evened.diag().diag(), torch.zeros_like(evened), atol=1e-9, rtol=0
    )
    # The quintic acts on each singular value alone.
    s = values / values.square().sum().sqrt()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    torch.testing.assert_close(evened.diag(), s)


def test_a_gradient_of_zero_moves_nothing():
    assert torch.equal(orthogonalized(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (16, 20), (20, 16)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_kernels_and_matrices_move_as_by_torchs_muon(shape, decay):
    start, rate, beta = drawn(*shape, dtype=torch.float32), 0.01, 0.9
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.flatten(1).clone())
    optimizer = Muon([ours], lr=rate, betas=(beta, 0.999), weight_decay=decay)
    reference = torch.optim.Muon(
        [theirs], lr=rate, momentum=beta, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
    )
    for step in range(4):
        gradient = drawn(*shape, seed=step + 1, dtype=torch.float32)
        ours.grad, theirs.grad = gradient, gradient.flatten(1).clone()
        before = ours.detach().clone()
        optimizer.step()
        reference.step()
        # torch orthogonalizes in bfloat16, so each step is right to two digits of its length.
        moved = (ours.detach() - before).norm()
        assert (ours.detach().flatten(1) - theirs.detach()).norm() < 0.03 * moved * (step + 1)


def test_kernels_laid_out_channels_last_move_alike():
    start, gradient = drawn(8, 4, 3, 3), drawn(8, 4, 3, 3, seed=1)
    moved = []
    for layout in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(start.clone(memory_format=layout))
        optimizer = Muon([weight], lr=0.1, betas=(0.9, 0.999))
        for _ in range(2):
            weight.grad = gradient.contiguous(memory_format=layout)
            optimizer.step()
        assert weight.is_contiguous(memory_format=layout)
        moved.append(weight.detach())
    torch.testing.assert_close(*moved)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_biases_and_norms_move_as_by_adamw(decay):
    start = drawn(7)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer = Muon([ours], lr=0.01, betas=(0.8, 0.95), weight_decay=decay)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.8, 0.95), weight_decay=decay)
    for step in range(5):
        ours.grad = drawn(7, seed=step + 1)
        theirs.grad = ours.grad.clone()
        optimizer.step()
        reference.step()
    torch.testing.assert_close(ours.detach(), theirs.detach())


def test_a_step_of_a_matrix_is_as_long_as_one_of_adamw():
    """0.2 of the rate a weight, whatever the shape and the gradient."""
    for shape in ((64, 32), (10, 200), (32, 16, 3, 3)):
        weight = nn.Parameter(torch.zeros(shape))
        optimizer = Muon([weight], lr=1.0, betas=(0.9, 0.999))
        weight.grad = 1e3 * drawn(*shape, dtype=torch.float32)
        optimizer.step()
        assert 0.15 < float(weight.detach().square().mean().sqrt()) < 0.23


def test_the_example_of_the_docstring_runs():
    assert doctest.testmod(muon, extraglobs={"torch": torch}).failed == 0
