"""The loss is the formula of its docstring, and a teacher that does not fit is refused."""

import math
import typing

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tellapart.config import DistillationRecipe, TrainingRecipe
from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError
from tellapart.models.classifier import Classifier
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.ops import squared_error
from tellapart.runtime import Runtime
from tellapart.training.balance import loss_weights
from tellapart.training.objective import LOSSES, Objective, require_fit_teacher

FP32 = Runtime(torch.device("cpu"), "fp32")


def make(names=("a", "b", "c"), shape=(1, 2, 2)):
    torch.manual_seed(0)
    pixels = shape[0] * shape[1] * shape[2]
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(pixels, len(names)))
    return Classifier(
        network,
        ClassifierSpec(
            network="none",
            arguments={},
            class_names=names,
            image_shape=shape,
            normalization=Normalization((0.0,), (1.0,)),
        ),
    )


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 3, generator=generator)
    images = torch.randint(0, 256, (5, 1, 2, 2), generator=generator, dtype=torch.uint8)
    return logits, torch.tensor([0, 1, 2, 1, 0]), images


def probabilities(logits):
    rows = [[math.exp(x) for x in row] for row in logits.tolist()]
    return [[x / sum(row) for x in row] for row in rows]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_a_teacher_it_is_the_smoothed_cross_entropy(batch, smoothing):
    logits, labels, images = batch
    wanted = 0.0
    for row, label in zip(probabilities(logits), labels.tolist(), strict=True):
        for index, probability in enumerate(row):
            target = smoothing / 3 + (1 - smoothing) * (index == label)
            wanted -= target * math.log(probability) / 5
    loss = Objective(smoothing, DistillationRecipe(), None, FP32)(logits, labels, images)
    assert loss.item() == pytest.approx(wanted, rel=1e-6)


def test_targets_may_be_shares():
    logits = torch.tensor([[0.0, 1.0, -1.0]])
    fractions = torch.tensor([[0.25, 0.75, 0.0]])
    (row,) = probabilities(logits)
    loss = Objective(0.0, DistillationRecipe(), None, FP32)(logits, fractions, None)
    assert loss.item() == pytest.approx(-0.25 * math.log(row[0]) - 0.75 * math.log(row[1]))


@pytest.mark.parametrize(("weight", "temperature"), [(0.7, 2.0), (1.0, 1.0), (0.3, 5.0)])
def test_a_teacher_mixes_in_its_probabilities(batch, weight, temperature):
    logits, labels, images = batch
    teacher = make()
    recipe = DistillationRecipe(weight=weight, temperature=temperature)
    loss = Objective(0.0, recipe, teacher, FP32)(logits, labels, images)
    ours = probabilities(logits / temperature)
    theirs = probabilities(teacher.eval()(images) / temperature)
    divergence = sum(
        p * math.log(p / q)
        for mine, his in zip(ours, theirs, strict=True)
        for q, p in zip(mine, his, strict=True)
    )
    labelled = sum(
        -math.log(row[label])
        for row, label in zip(probabilities(logits), labels.tolist(), strict=True)
    )
    wanted = (1 - weight) * labelled / 5 + weight * temperature**2 * divergence / 5
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_the_teacher_is_not_taught_and_does_not_drop(batch):
    logits, labels, images = batch
    teacher = make().train()
    objective = Objective(0.0, DistillationRecipe(), teacher, FP32)
    leaf = logits.clone().requires_grad_()
    first = objective(leaf, labels, images)
    first.backward()
    assert leaf.grad is not None
    assert all(weight.grad is None for weight in teacher.parameters())
    assert torch.equal(first, objective(leaf, labels, images))


def test_the_teacher_answers_once_whatever_its_views(batch):
    logits, labels, images = batch
    teacher = make()
    objective = Objective(0.0, DistillationRecipe(), teacher, FP32)
    plain = objective(logits, labels, images)
    teacher = teacher.with_views("mirrored-and-shifted")
    assert not torch.allclose(teacher(images), teacher.plain_logits(images))
    assert torch.equal(objective(logits, labels, images), plain)


def test_a_student_that_says_what_the_teacher_says_has_no_divergence(batch):
    _, labels, images = batch
    teacher = make()
    logits = teacher.eval()(images)
    loss = Objective(0.0, DistillationRecipe(weight=1.0), teacher, FP32)(logits, labels, images)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_a_teacher_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="the teacher knows other classes"):
        require_fit_teacher(make(("a", "c", "b")), make())
    with pytest.raises(ConfigError, match="the teacher takes images of"):
        require_fit_teacher(make(shape=(1, 2, 3)), make())
    require_fit_teacher(make(), make())


def test_without_smoothing_class_weights_are_those_of_torch():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 0, 0, 0, 1, 2])
    weights = torch.tensor([0.5, 2.0, 2.0])
    loss = Objective(0.0, DistillationRecipe(), None, FP32, weights)(logits, labels, None)
    torch.testing.assert_close(loss, cross_entropy(logits, labels, weight=weights))
    mixed = torch.nn.functional.one_hot(labels, 3).float()
    loss = Objective(0.0, DistillationRecipe(), None, FP32, weights)(logits, mixed, None)
    torch.testing.assert_close(loss, cross_entropy(logits, labels, weight=weights))


def test_class_weights_leave_smoothed_targets_where_they_are():
    # Of one class all pictures count alike, so its best logits are those without weights.
    labels = torch.zeros(8, dtype=torch.int64)
    target = torch.tensor([0.9 + 0.1 / 2, 0.1 / 2])
    best = target.log().expand(8, 2).clone().requires_grad_()
    Objective(0.1, DistillationRecipe(), None, FP32, torch.tensor([0.5, 20.0]))(
        best, labels, None
    ).backward()
    torch.testing.assert_close(best.grad, torch.zeros(8, 2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_loss_with_costs_and_its_gradient_are_those_computed_by_hand(smoothing):
    # Two images of a class that costs 5, one of a class that costs 1, one that is mixed of both.
    logits = torch.tensor([[0.3, -0.2], [1.0, 0.5], [-0.4, 0.1], [0.2, 0.2]], requires_grad=True)
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.25, 0.75]])
    images = ImageSet(
        torch.zeros(4, 1, 1, 1, dtype=torch.uint8), torch.tensor([0, 1, 1, 1]), ("bad", "good")
    )
    weights = loss_weights(images, TrainingRecipe(class_costs={"bad": 5.0}))
    loss = Objective(smoothing, DistillationRecipe(), None, FP32, weights)(logits, targets, None)
    loss.backward()
    costs = [5.0, 5.0, 1.0, 0.25 * 5 + 0.75 * 1]
    smoothed = (1 - smoothing) * targets + smoothing / 2
    wanted, gradient = 0.0, []
    for row, target, cost in zip(probabilities(logits), smoothed.tolist(), costs, strict=True):
        wanted -= cost * sum(q * math.log(p) for p, q in zip(row, target, strict=True)) / sum(costs)
        gradient.append([cost * (p - q) / sum(costs) for p, q in zip(row, target, strict=True)])
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    torch.testing.assert_close(logits.grad, torch.tensor(gradient))


def squared(smoothing=0.0, teacher=None, weights=None, distillation=None):
    recipe = distillation or DistillationRecipe()
    return Objective(smoothing, recipe, teacher, FP32, weights, "squared-error")


def test_every_loss_of_the_recipe_is_there():
    assert typing.get_args(typing.get_type_hints(TrainingRecipe)["loss"]) == tuple(LOSSES)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_squared_error_is_that_of_the_operations_from_first_principles(batch, smoothing):
    logits, labels, images = batch
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = squared(smoothing)(ours, labels, images)
    wanted = squared_error(theirs, labels, label_smoothing=smoothing)
    loss.backward()
    wanted.backward()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_squared_error_of_mixed_images_is_the_distance_to_the_mixture():
    logits = torch.tensor([[0.0, 1.0, -1.0]])
    targets = torch.tensor([[0.25, 0.75, 0.0]])
    (row,) = probabilities(logits)
    loss = squared()(logits, targets, None)
    assert loss.item() == pytest.approx(
        (row[0] - 0.25) ** 2 + (row[1] - 0.75) ** 2 + row[2] ** 2, rel=1e-5
    )
    exact = torch.tensor([row]).log()
    assert squared()(exact, torch.tensor([row]), None).item() == pytest.approx(0, abs=1e-12)


def test_squared_error_weighs_images_by_their_class(batch):
    logits, labels, images = batch
    weights = torch.tensor([0.5, 2.0, 4.0])
    losses = squared_error(logits, labels, reduction="none")
    wanted = (losses * weights[labels]).sum() / weights[labels].sum()
    torch.testing.assert_close(squared(weights=weights)(logits, labels, images), wanted)


def test_squared_error_mixes_with_a_teacher_as_cross_entropy_does(batch):
    logits, labels, images = batch
    teacher, recipe = make(), DistillationRecipe(weight=0.3)
    mixed = squared(teacher=teacher, distillation=recipe)(logits, labels, images)
    entropy = Objective(0.0, recipe, teacher, FP32)(logits, labels, images)
    difference = squared_error(logits, labels) - cross_entropy(logits, labels)
    torch.testing.assert_close(mixed - entropy, 0.7 * difference)


def test_validation_measures_the_same_loss_without_smoothing(batch):
    logits, labels, _ = batch
    weights = torch.tensor([0.5, 2.0, 4.0])
    assert squared(0.1, weights=weights).without_variations(logits, labels) == pytest.approx(
        float(squared_error(logits, labels))
    )
    entropy = Objective(0.1, DistillationRecipe(), None, FP32, weights)
    assert entropy.without_variations(logits, labels) == float(cross_entropy(logits, labels))
