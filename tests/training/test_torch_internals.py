"""The way around torch's compiler works in this torch, and is left alone in one not looked at."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from tellapart.training import torch_internals
from tellapart.training.torch_internals import (
    CHECKED_VERSIONS,
    is_checked_version,
    take_step,
    without_compiler_import,
)

TRAIN = """
import sys
import torch
from tellapart.config import OPTIMIZER_FIELDS, OptimizerRecipe
from tellapart.training.optimizer import build_optimizer
from tellapart.training.torch_internals import take_step
for name in OPTIMIZER_FIELDS:
    network = torch.nn.Linear(2, 2)
    optimizer = build_optimizer(OptimizerRecipe(name=name), network)
    network(torch.ones(1, 2)).sum().backward()
    take_step(optimizer)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_this_version_of_torch_was_looked_at():
    """Red where torch is new: read the two files that CHECKED_VERSIONS names, then add it."""
    assert is_checked_version(torch.__version__)


def test_an_optimizer_is_made_and_stepped_without_the_compiler():
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("version", "known"),
    [("2.13.0+cpu", True), ("2.11.1", True), ("2.1.0", False), ("2.14.0a0+git", False), ("3.0", 0)],
)
def test_versions_are_told_apart(version, known):
    assert is_checked_version(version) == known


def test_torch_is_left_as_it_was():
    method = torch.optim.Optimizer.add_param_group.__wrapped__
    marked = hasattr(method, "__dynamo_disable")
    with without_compiler_import():
        torch.optim.SGD(nn.Linear(1, 1).parameters())
    assert hasattr(method, "__dynamo_disable") == marked


def test_an_unknown_torch_is_used_as_everybody_does(monkeypatch):
    monkeypatch.setattr(torch_internals, "is_checked_version", lambda: False)
    layer = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters())
    called = []
    monkeypatch.setattr(optimizer, "step", lambda: called.append("step"))
    take_step(optimizer)
    assert called == ["step"]
    method = torch.optim.Optimizer.add_param_group.__wrapped__
    before = vars(method).copy()
    with without_compiler_import():
        assert vars(method) == before


def test_a_step_is_the_step_of_torch():
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizers = [torch.optim.AdamW([weight]) for weight in weights]
    for weight in weights:
        weight.grad = torch.tensor([1.0, -2.0, 0.0])
    optimizers[0].step()
    take_step(optimizers[1])
    assert torch.equal(*weights)
    assert CHECKED_VERSIONS
