"""One oracle for every operation: shape, type, values and gradients, against torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch

Operation: TypeAlias = Callable[..., torch.Tensor]
Oracle: TypeAlias = Callable[..., None]

TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4, torch.bfloat16: 5e-2}


def _same_as_torch(ours: Operation, reference: Operation, *tensors: torch.Tensor) -> None:
    """Run both on copies of ``tensors`` and compare all that can be seen from outside."""
    results = []
    for operation in (ours, reference):
        copies = [tensor.detach().clone().requires_grad_() for tensor in tensors]
        output = operation(*copies)
        upstream = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
        gradients = torch.autograd.grad(output, copies, upstream.to(output.dtype))
        results.append([output.detach(), *gradients])
    for got, expected in zip(*results, strict=True):
        tolerance = TOLERANCE[expected.dtype]
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="session")
def same_as_torch() -> Oracle:
    return _same_as_torch
