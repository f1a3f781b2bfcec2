"""Frozen means frozen, to the byte; and what is unfrozen is unfrozen when and as far as asked."""

from itertools import pairwise

import pytest
import torch

from tellapart.config import FinetuningRecipe
from tellapart.errors import ConfigError
from tellapart.finetuning.freezing import FineTuning
from tellapart.finetuning.lora import lora_parameters
from tellapart.models.registry import seeded_network

RESIDUAL = ("network=small-residual", "finetuning.source=somewhere", "weight_decay=0.5")
STAGES = ["stem", "widen", "block1", "block2"]


def tuning(num_epochs=10, **settings):
    network = seeded_network("small-residual", (3, 16, 16), 3, {}, 0)
    return FineTuning(network, FinetuningRecipe(**settings), num_epochs=num_epochs, seed=0)


def content(network):
    """Every tensor's bytes, statistics of norms included."""
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


def changed(before, after):
    """The stages in which anything is not as it was."""
    return {name.split(".")[0] for name in before if before[name] != after[name]}


def trained(make, *settings, epochs=2):
    trainer = make.trainer([*RESIDUAL, *settings, f"epochs={epochs}"])
    network = trainer.classifier.network
    history = [content(network)]
    for _ in trainer.epochs():
        history.append(content(network))
    return trainer, history


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize(
    ("freezing", "moving"),
    [
        ("head", {"output"}),
        (4, {"output"}),
        (3, {"block2", "output"}),
        (1, {"widen", "block1", "block2", "output"}),
        (0, {*STAGES, "output"}),
        ("all", {*STAGES, "output"}),
    ],
)
def test_frozen_stages_keep_every_byte(make, freezing, moving, optimizer):
    _, history = trained(make, f"freezing={freezing}", f"optimizer={optimizer}", "l1=0.01")
    assert changed(history[0], history[-1]) == moving


def test_gradual_unfreezes_stage_after_stage_from_the_last(make):
    _, history = trained(make, "freezing=gradual", "unfreezing_fraction=1", epochs=5)
    moving = [changed(*pair) for pair in pairwise(history)]
    assert moving == [{"output", *STAGES[4 - unfrozen :]} for unfrozen in range(5)]


def test_frozen_weights_get_no_gradient_and_unfrozen_ones_do(make):
    trainer, _ = trained(make, "freezing=2", epochs=1)
    trainer.finetuning.begin(1)
    for name, weight in trainer.classifier.network.named_parameters():
        is_frozen = name.split(".")[0] in STAGES[:2]
        assert weight.requires_grad is not is_frozen
    everywhere = {id(w) for group in trainer.optimizer.param_groups for w in group["params"]}
    assert not everywhere & {id(w) for w in trainer.classifier.network.stem.parameters()}


def test_an_average_leaves_frozen_stages_alone_too(make):
    _, history = trained(make, "freezing=3", "averaging.decay=0.9")
    assert changed(history[0], history[-1]) == {"block2", "output"}


def test_norms_keep_the_sources_statistics_on_request(make):
    _, history = trained(make, "norm_statistics=source")
    kept = {name for name in history[0] if history[0][name] == history[-1][name]}
    statistics = {name for name in history[0] if "running_" in name or "num_batches" in name}
    assert kept == statistics


@pytest.mark.parametrize(
    ("epochs", "fraction", "frozen"),
    [
        (10, 0.5, [4, 4, 3, 2, 1, 0, 0, 0, 0, 0]),
        (5, 1.0, [4, 3, 2, 1, 0]),
        (2, 0.5, [4, 0]),
        (1, 0.5, [0]),
    ],
)
def test_when_stages_are_unfrozen(epochs, fraction, frozen):
    gradual = tuning(epochs, freezing="gradual", unfreezing_fraction=fraction)
    assert [gradual.num_frozen(epoch) for epoch in range(1, epochs + 1)] == frozen


def test_the_learning_rate_decays_with_depth():
    factors = tuning(layer_decay=0.5, head_rate=3.0).rate_factors()
    by_stage = {name.split(".")[0]: factor for name, factor in factors.items()}
    assert by_stage == {"output": 3, "block2": 1, "block1": 0.5, "widen": 0.25, "stem": 0.125}
    assert len(factors) == len(list(tuning().network.parameters()))


def test_the_optimiser_takes_steps_of_those_rates(make):
    trainer = make.trainer([*RESIDUAL, "layer_decay=0.5", "optimizer=sgd", "learning_rate=0.01"])
    for _ in trainer.epochs():
        break
    names = {id(w): name for name, w in trainer.classifier.network.named_parameters()}
    for group in trainer.optimizer.param_groups:
        for weight in group["params"]:
            stage = names[id(weight)].split(".")[0]
            depth = 0 if stage == "output" else 3 - STAGES.index(stage)
            assert group["lr"] == pytest.approx(0.01 * 0.5**depth)


def test_the_pull_to_the_source_is_half_the_squared_distance():
    held = tuning(l2_sp=0.5, freezing=2)
    assert held.penalty().item() == 0
    with torch.no_grad():
        for name, weight in held.network.named_parameters():
            weight.add_(2.0 if name.startswith(("block", "output")) else 0)
    moved = [w for s in held.stages[2:] for w in s.parameters()]
    distance = sum(4.0 * weight.numel() for weight in moved)
    assert held.penalty().item() == pytest.approx(0.5 / 2 * distance)
    held.penalty().backward()
    torch.testing.assert_close(moved[0].grad, torch.ones_like(moved[0]))
    assert held.network.output.weight.grad is None


def test_the_pull_holds_weights_near_the_source_and_weight_decay_leaves_them(make):
    def distance(*settings):
        trainer, _ = trained(make, "optimizer=sgd", "learning_rate=0.01", *settings, epochs=4)
        start = make.trainer([*RESIDUAL]).classifier.network
        pairs = zip(trainer.classifier.network[:-1].parameters(), start.parameters(), strict=False)
        return sum(float((ours - theirs).detach().square().sum()) for ours, theirs in pairs)

    assert distance("l2_sp=10") < distance("l2_sp=1") < distance("weight_decay=0")
    held = make.trainer([*RESIDUAL, "l2_sp=1"])
    decayed = [g["params"] for g in held.optimizer.param_groups if g["weight_decay"]]
    assert [[id(w) for w in part] for part in decayed] == [
        [id(held.classifier.network.output.weight)]
    ]


def test_lora_trains_its_changes_and_the_output_layer_and_merges_them(make):
    trainer, history = trained(make, "lora_rank=2")
    moving = {name for name in history[0] if history[0][name] != history[-1][name]}
    for name in moving:
        assert name.startswith("output.") or name.endswith((".0.a", ".0.b"))
    network = trainer.classifier.network
    assert not list(lora_parameters(network))
    plain = seeded_network("small-residual", (3, 16, 16), 3, {}, 0)
    merged = content(network)
    assert merged.keys() == content(plain).keys()
    rest = {name for name in merged if merged[name] == content(plain)[name]}
    assert rest == {n for n in merged if "conv" not in n and not n.startswith("output")}
    assert all(weight.requires_grad for weight in network.parameters())


def test_lora_in_frozen_stages_stays_nothing(make):
    trainer, _ = trained(make, "lora_rank=2", "freezing=3")
    plain = seeded_network("small-residual", (3, 16, 16), 3, {}, 0)
    assert changed(content(plain), content(trainer.classifier.network)) == {"block2", "output"}


@pytest.mark.parametrize(
    ("settings", "fraction"),
    [({}, 1.0), ({"freezing": "head"}, 195 / 167_651), ({"freezing": "gradual"}, 1.0)],
)
def test_the_fraction_that_is_trained(settings, fraction):
    total = sum(weight.numel() for weight in tuning().network.parameters())
    assert total == 167_651
    assert tuning(**settings).fraction_trained == pytest.approx(fraction)


def test_the_fraction_that_lora_trains():
    assert 0.01 < tuning(lora_rank=2).fraction_trained < 0.05


def test_more_stages_than_there_are_cannot_be_frozen():
    with pytest.raises(ConfigError) as raised:
        tuning(freezing=5)
    assert str(raised.value) == (
        "freezing 5 asks for more stages than the 4 of this network "
        "(stem, widen, block1, block2); set finetuning.freezing to at most that"
    )


def test_a_state_in_which_other_stages_were_frozen_is_refused(make):
    trainer = make.trainer([*RESIDUAL, "freezing=gradual"])
    for _ in trainer.epochs():
        break
    tensors, header = trainer.state()
    other = make.trainer([*RESIDUAL, "freezing=gradual"])
    with pytest.raises(ConfigError, match="does not fit this recipe: other stages were frozen"):
        other.restore(tensors, header | {"num_frozen_stages": 1})
    other.restore(tensors, header)
    assert header["num_frozen_stages"] == 4
