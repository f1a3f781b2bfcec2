"""An optimizer's state comes back bit for bit, laid out as it was, and another's is refused."""

import copy

import pytest
import torch

from tellapart.config import OPTIMIZER_FIELDS, OptimizerRecipe
from tellapart.errors import ConfigError
from tellapart.models.checkpoint import load_tensors, save_tensors, weights_sha256
from tellapart.models.registry import seeded_network
from tellapart.training.optimizer import build_optimizer
from tellapart.training.state import named_under, optimizer_state, restore_optimizer
from tellapart.training.torch_internals import take_step

SHAPE = (3, 28, 28)
MOMENTUM = OptimizerRecipe(name="sgd", learning_rate=0.05, momentum=0.9)
RECIPES = {
    **{name: OptimizerRecipe(name=name, weight_decay=0.1) for name in OPTIMIZER_FIELDS},
    "momentum": MOMENTUM,
    "nesterov": OptimizerRecipe(name="sgd", learning_rate=0.05, momentum=0.9, nesterov=True),
}


def make_network(layout=torch.contiguous_format):
    return seeded_network("lenet", SHAPE, 3, {}, 0).to(memory_format=layout)


def steps(network, optimizer, count, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        images = torch.rand(4, *SHAPE, generator=generator)
        optimizer.zero_grad()
        network(images).square().mean().backward()
        take_step(optimizer)


@pytest.mark.parametrize("case", RECIPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_optimizer_goes_on_where_it_was_also_with_kernels_laid_out_for_speed(
    tmp_path, case, layout
):
    network = make_network(layout)
    optimizer = build_optimizer(RECIPES[case], network)
    steps(network, optimizer, 3, seed=1)
    again = copy.deepcopy(network)
    save_tensors(tmp_path / "state", optimizer_state(optimizer), {})
    restored = build_optimizer(RECIPES[case], again)
    restore_optimizer(restored, load_tensors(tmp_path / "state")[0])
    steps(network, optimizer, 3, seed=2)
    steps(again, restored, 3, seed=2)
    assert weights_sha256(again.state_dict()) == weights_sha256(network.state_dict())
    kept = optimizer_state(optimizer), optimizer_state(restored)
    assert kept[0].keys() == kept[1].keys()
    for name in kept[0]:
        assert torch.equal(kept[0][name], kept[1][name]), name
        assert kept[0][name].stride() == kept[1][name].stride(), name


@pytest.mark.parametrize("case", RECIPES)
def test_restoring_moves_no_weight_and_leaves_no_gradient_or_rate_behind(case):
    network = make_network()
    optimizer = build_optimizer(RECIPES[case], network)
    steps(network, optimizer, 2, seed=1)
    fresh = make_network()
    before = weights_sha256(fresh.state_dict())
    restored = build_optimizer(RECIPES[case], fresh)
    restore_optimizer(restored, optimizer_state(optimizer))
    assert weights_sha256(fresh.state_dict()) == before
    assert all(weight.grad is None for weight in fresh.parameters())
    assert {g["lr"] for g in restored.param_groups} == {RECIPES[case].learning_rate}


def test_weights_that_were_not_trained_yet_keep_no_state():
    network = make_network()
    optimizer = build_optimizer(RECIPES["adamw"], network)
    network.conv1.requires_grad_(False)
    steps(network, optimizer, 1, seed=1)
    restored = build_optimizer(RECIPES["adamw"], make_network())
    restore_optimizer(restored, optimizer_state(optimizer))
    assert len(restored.state) == len(optimizer.state) == len(list(network.parameters())) - 2


@pytest.mark.parametrize(
    ("first", "second"),
    [("momentum", "adamw"), ("adamw", "momentum"), ("momentum", "sgd"), ("lion", "muon")],
)
def test_the_state_of_another_optimizer_is_refused(first, second):
    network = make_network()
    optimizer = build_optimizer(RECIPES[first], network)
    steps(network, optimizer, 1, seed=1)
    with pytest.raises(ConfigError, match="does not fit this recipe: it must hold "):
        restore_optimizer(build_optimizer(RECIPES[second], network), optimizer_state(optimizer))


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("999/momentum_buffer", torch.ones(2)),
        ("-1/momentum_buffer", torch.ones(2)),
        ("momentum_buffer", torch.ones(2)),
        ("0/momentum_buffer", torch.ones(2)),
        ("0/momentum_buffer", torch.ones(6, 3, 5, 5, dtype=torch.float64)),
    ],
)
def test_the_state_of_other_weights_is_refused_by_its_name(name, tensor):
    with pytest.raises(ConfigError, match=f"does not fit this recipe: .*'{name}'"):
        restore_optimizer(build_optimizer(MOMENTUM, make_network()), {name: tensor})


def test_a_part_takes_its_own_tensors_only():
    tensors = {name: torch.tensor(0) for name in ("best/a", "best/b", "bestial", "weights/best/a")}
    assert named_under("best", tensors).keys() == {"a", "b"}
