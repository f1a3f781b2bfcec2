"""Steps are those of plain references, and decay pulls on kernels and matrices only."""

import copy
import inspect

import pytest
import torch
from torch import nn

from tellapart.config import OPTIMIZER_FIELDS, OptimizerRecipe
from tellapart.models.registry import seeded_network
from tellapart.training.optimizer import (
    OPTIMIZERS,
    build_optimizer,
    decayed_weights,
    l1_penalty,
    set_learning_rate,
)

SHAPE = (3, 16, 16)


def make_network():
    return seeded_network("small-residual", SHAPE, 3, {"width": 2}, 0)


def backward(network, seed):
    generator = torch.Generator().manual_seed(seed)
    network.zero_grad()
    network(torch.rand(4, *SHAPE, generator=generator)).square().mean().backward()


def test_decay_pulls_on_weights_of_layers_and_not_on_biases_or_norms():
    network = make_network()
    pulled = {id(weight) for weight in decayed_weights(network)}
    wanted = set()
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            wanted.add(id(layer.weight))
    assert pulled == wanted


def test_frozen_weights_are_left_out():
    network = make_network()
    network.stem.requires_grad_(False)
    frozen = {id(weight) for weight in network.stem.parameters()}
    optimizer = build_optimizer(OptimizerRecipe(weight_decay=0.1), network)
    steered = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert not frozen & set(steered)
    assert len(steered) == len(set(steered)) == len(list(network.parameters())) - len(frozen)
    assert not frozen & {id(weight) for weight in decayed_weights(network)}


def test_a_network_with_only_its_last_bias_left_has_one_group():
    network = make_network().requires_grad_(False)
    network.output.bias.requires_grad_(True)
    (group,) = build_optimizer(OptimizerRecipe(weight_decay=0.1), network).param_groups
    assert group["weight_decay"] == 0.0


def plain_optimizer(recipe, network):
    """torch's own, weight by weight, unfused: the yardstick."""
    kernels = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0},
    ]
    single = {"lr": recipe.learning_rate, "foreach": False, "fused": False}
    if recipe.name == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, **single)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.name]
    return kind(groups, betas=(recipe.beta1, recipe.beta2), **single)


@pytest.mark.parametrize(
    "recipe",
    [
        OptimizerRecipe(name="sgd", learning_rate=0.05),
        OptimizerRecipe(name="sgd", learning_rate=0.05, weight_decay=0.1),
        OptimizerRecipe(name="sgd", learning_rate=0.05, momentum=0.9),
        OptimizerRecipe(
            name="sgd", learning_rate=0.05, momentum=0.9, nesterov=True, weight_decay=0.1
        ),
        OptimizerRecipe(name="adam", learning_rate=0.01),
        OptimizerRecipe(name="adam", learning_rate=0.01, beta1=0.5, beta2=0.9, weight_decay=0.1),
        OptimizerRecipe(name="adamw", learning_rate=0.01),
        OptimizerRecipe(name="adamw", learning_rate=0.01, weight_decay=0.5),
    ],
    ids=lambda r: f"{r.name}-{r.momentum}-{r.nesterov}-{r.weight_decay}",
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_steps_equal_torchs_plain_ones(recipe, layout):
    ours = make_network().to(memory_format=layout)
    theirs = copy.deepcopy(ours)
    optimizers = build_optimizer(recipe, ours), plain_optimizer(recipe, theirs)
    for step in range(3):
        set_learning_rate(optimizers[0], 0.01 / (step + 1))
        for group in optimizers[1].param_groups:
            group["lr"] = 0.01 / (step + 1)
        for network, optimizer in zip((ours, theirs), optimizers, strict=True):
            backward(network, step)
            optimizer.step()
    for (name, weight), wanted in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        # A fused step rounds a product and a sum once where the plain one rounds twice.
        assert torch.allclose(weight, wanted, rtol=1e-4, atol=2e-6), name


def test_adamw_without_a_decay_in_the_recipe_decays_nothing():
    """torch's own default would be 0.01."""
    network = make_network()
    optimizer = build_optimizer(OptimizerRecipe(name="adamw"), network)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0}


def test_the_rate_is_set_for_every_group():
    optimizer = build_optimizer(OptimizerRecipe(), make_network())
    assert len(optimizer.param_groups) == 2
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_a_weight_named_with_a_factor_moves_at_that_part_of_the_rate():
    network = make_network()
    plain, slowed = copy.deepcopy(network), copy.deepcopy(network)
    recipe = OptimizerRecipe(name="sgd", weight_decay=0.1)
    factors = {"output.weight": 0.5, "output.bias": 0.5}
    for learner, named in ((plain, None), (slowed, factors)):
        optimizer = build_optimizer(recipe, learner, named)
        set_learning_rate(optimizer, 0.1)
        backward(learner, 0)
        optimizer.step()
    for name, start in network.named_parameters():
        step, slow_step = (n.get_parameter(name) - start for n in (plain, slowed))
        assert torch.allclose(slow_step, factors.get(name, 1.0) * step, atol=1e-7), name


def test_a_weight_named_as_undecayed_is_left_alone_by_decay():
    network = make_network()
    optimizer = build_optimizer(OptimizerRecipe(weight_decay=0.1), network, None, ["output.weight"])
    decays = {
        id(weight): group["weight_decay"]
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    assert decays[id(network.output.weight)] == 0.0
    assert decays[id(network.stem.conv.weight)] == 0.1


def test_the_l1_penalty_is_the_sum_of_absolute_weights_and_its_gradient_their_sign():
    weights = [nn.Parameter(torch.tensor([[1.5, -2.0]])), nn.Parameter(torch.tensor([[-0.5]]))]
    penalty = l1_penalty(weights)
    penalty.backward()
    assert penalty.item() == 4.0
    assert torch.equal(weights[0].grad, torch.tensor([[1.0, -1.0]]))
    assert torch.equal(weights[1].grad, torch.tensor([[-1.0]]))


def test_every_optimizer_of_the_recipe_has_a_builder_that_takes_its_fields():
    assert OPTIMIZERS.keys() == OPTIMIZER_FIELDS.keys()
    for name, builder in OPTIMIZERS.items():
        parameters = inspect.signature(builder).parameters.values()
        taken = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        assert taken == list(OPTIMIZER_FIELDS[name]), name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_gets_rate_and_decay_and_brings_the_loss_down(name):
    network = make_network()
    recipe = OptimizerRecipe(name=name, learning_rate=0.003, weight_decay=0.01)
    optimizer = build_optimizer(recipe, network)
    assert {group["lr"] for group in optimizer.param_groups} == {0.003}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.01}
    images = torch.rand(12, *SHAPE, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    losses = []
    for _ in range(15):
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_weight_without_a_gradient_stays_as_it_is(name):
    network = make_network()
    optimizer = build_optimizer(OptimizerRecipe(name=name, weight_decay=0.5), network)
    backward(network, 0)
    network.stem.conv.weight.grad = None
    before = network.stem.conv.weight.detach().clone()
    optimizer.step()
    assert torch.equal(network.stem.conv.weight, before)
