"""A network on our operations is the network on torch's layers: numbers, gradients, losses.

What is compared number by number is compared in float64, where nothing but the function can differ.
"""

import copy

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tellapart.config import load_recipe, recipe_names
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError
from tellapart.finetuning.lora import add_lora, merge_lora
from tellapart.models import blocks
from tellapart.models.checkpoint import load_classifier, save_classifier
from tellapart.models.classifier import Classifier
from tellapart.models.from_scratch import from_scratch
from tellapart.models.registry import NETWORKS, build_network
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.train import train

DIGITS = (1, 28, 28)
TUTORIALS = [name for name in recipe_names() if name.startswith("tutorial-")]
SLOW = ("tutorial-two-conv-adam", "tutorial-dropout-adam", "tutorial-dropout-sgd")


@pytest.fixture(params=[*NETWORKS, "efficientnet-lite0 with grid"])
def case(request, shape_for):
    """A network's name and arguments, and the shape of its images."""
    name, _, more = request.param.partition(" ")
    # Networks for larger images.
    wanted = {"photo-residual": (3, 48, 32)}.get(name, DIGITS)
    return name, {"with_grid": True} if more else {}, shape_for(name, wanted)


def network_and_twin(name, arguments=None, dtype=torch.float64, shape=DIGITS):
    torch.manual_seed(0)
    network = build_network(name, shape, 10, arguments or {}).to(dtype)
    network = network.to(memory_format=torch.channels_last)
    return network, from_scratch(copy.deepcopy(network))


def batch_of(num_images, dtype=torch.float64, shape=DIGITS):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_images, *shape, generator=generator, dtype=dtype)


def step(network, pictures, seed=2):
    """Logits and the gradients of all learned weights, with dropout's noise drawn from ``seed``."""
    torch.manual_seed(seed)
    logits = network(pictures)
    (logits.square().sum() + logits.sum()).backward()
    learned = {name: w.grad for name, w in network.named_parameters() if w.requires_grad}
    return logits.detach(), learned


def layers_of(network):
    return [module for module in network.modules() if not list(module.children())]


def test_logits_gradients_and_statistics_are_torchs(case):
    name, arguments, shape = case
    network, twin = network_and_twin(name, arguments, shape=shape)
    pictures = batch_of(6, shape=shape)
    logits, gradients = step(network, pictures)
    our_logits, our_gradients = step(twin, pictures)
    assert torch.allclose(our_logits, logits, rtol=1e-9, atol=1e-10)
    assert our_gradients.keys() == gradients.keys()
    for weight, gradient in gradients.items():
        # A bias before a norm has gradient 0: of that there is nothing but rounding to compare.
        bound = 1e-9 * gradient.abs().max() + 1e-12
        assert (our_gradients[weight] - gradient).abs().max() <= bound, weight
    for buffer, value in network.named_buffers():
        assert torch.allclose(twin.get_buffer(buffer), value, rtol=1e-12), buffer


def test_evaluation_is_torchs_and_of_one_image_the_same_as_in_a_batch(case):
    name, arguments, shape = case
    network, twin = network_and_twin(name, arguments, shape=shape)
    pictures = batch_of(6, shape=shape)
    step(network, pictures), step(twin, pictures)  # the running statistics have moved
    with torch.no_grad():
        logits, ours = network.eval()(pictures), twin.eval()(pictures)
        assert torch.allclose(ours, logits, rtol=1e-9, atol=1e-10)
        assert torch.allclose(twin(pictures[:1]), ours[:1], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("arguments", [{}, {"second_relu": True, "channels": True}], ids=str)
def test_dropout_loses_what_torchs_layer_loses(arguments):
    network, twin = network_and_twin("dropout", arguments)
    logits, _ = step(network, batch_of(6), seed=5)
    assert torch.allclose(step(twin, batch_of(6), seed=5)[0], logits, rtol=1e-9, atol=1e-10)
    assert not torch.allclose(step(twin, batch_of(6), seed=6)[0], logits, rtol=1e-2)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d, blocks.Dropout])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_each_kind_of_dropout_draws_the_noise_of_its_layer(kind, probability):
    layer = kind(probability)
    twin = from_scratch(layer)
    features = torch.rand(4, 6, 5, 5) + 1
    torch.manual_seed(3)
    wanted = layer(features)
    torch.manual_seed(3)
    assert torch.allclose(twin(features), wanted)
    assert torch.equal(twin.eval()(features), features)


class Recorder(TorchDispatchMode):
    """The names of the operations that torch is asked for, forwards and backwards."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_nothing_is_computed_by_a_layer_of_torch(case):
    name, arguments, shape = case
    network, twin = network_and_twin(name, arguments, shape=shape)
    layers = ("conv", "pool", "norm", "relu", "threshold", "dropout", "linear", "addmm", "softmax")
    seen = []
    for each in (network, twin):
        with Recorder() as recorder:
            step(each, batch_of(2, shape=shape))
        seen.append({op for op in recorder.seen if any(layer in op for layer in layers)})
    assert seen[0]
    assert not seen[1]
    assert not [layer for layer in layers_of(twin) if type(layer).__module__.startswith("torch.")]


def test_the_twin_holds_the_weights_themselves_and_leaves_the_network_as_it_was():
    network = build_network("squeeze-excite", DIGITS, 10, {})
    before = layers_of(network)
    twin = from_scratch(network)
    assert layers_of(network) == before
    assert list(twin.state_dict()) == list(network.state_dict())
    for name, weight in network.named_parameters():
        assert twin.get_parameter(name) is weight
    for name, buffer in network.named_buffers():
        assert twin.get_buffer(name) is buffer


def test_the_twin_is_in_the_mode_of_the_network():
    network = build_network("dropout", DIGITS, 10, {})
    assert all(module.training for module in from_scratch(network).modules())
    assert not any(module.training for module in from_scratch(network.eval()).modules())


def test_weights_go_back_and_forth_by_name():
    network, twin = network_and_twin("small-residual")
    other = build_network("small-residual", DIGITS, 10, {}).double()
    twin.load_state_dict(other.state_dict())
    network.load_state_dict(twin.state_dict())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_settings_of_layers_are_kept():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 8, (3, 5), stride=2, padding=(1, 0), dilation=(2, 1), groups=2, bias=False),
        nn.BatchNorm2d(8, eps=0.1, momentum=0.5, affine=False),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.BatchNorm2d(8, track_running_stats=False),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 3, bias=False),
        nn.Softmax(1),
    ).double()
    twin = from_scratch(copy.deepcopy(network))
    pictures = torch.rand(4, 2, 17, 17, dtype=torch.float64)
    assert torch.allclose(twin(pictures), network(pictures), rtol=1e-9)
    assert torch.allclose(twin.eval()(pictures), network.eval()(pictures), rtol=1e-9)


def test_bfloat16_goes_through():
    network, twin = network_and_twin("small-residual", {"width": 8}, torch.float32)
    pictures = batch_of(4, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        logits, ours = network(pictures), twin(pictures)
    assert ours.dtype == torch.bfloat16
    assert (ours.float() - logits.float()).abs().max() < 0.1 * logits.float().abs().max()
    ours.float().sum().backward()
    assert all(weight.grad is not None for weight in twin.parameters())


def test_lora_changes_the_twins_layers_too():
    network, twin = network_and_twin("dynamic", {"width": 8})
    for each in (network, twin):
        add_lora(each, 2, seed=0)
        for name, change in each.named_parameters():
            if name.endswith(".b"):
                nn.init.ones_(change)
        each.double()
    assert torch.allclose(twin(batch_of(3)), network(batch_of(3)), rtol=1e-9)
    merge_lora(twin)
    assert "stem.conv.weight" in twin.state_dict()


class Unknown(nn.Conv2d):
    """May compute anything."""


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Unknown(1, 2, 3), "layer 'odd', a Unknown, has no counterpart in tellapart.ops; "),
        (nn.GELU(), "layer 'odd', a GELU, has no counterpart in tellapart.ops; "),
        (nn.Conv2d(1, 1, 3, padding="same"), "padding must be whole numbers, got 'same'; "),
        (
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
            "layer 'odd', a Conv2d, cannot be built from scratch: padding_mode must be 'zeros', "
            "got 'reflect'; ",
        ),
        (nn.MaxPool2d(2, ceil_mode=True), "ceil_mode must be False, got True; "),
        (nn.MaxPool2d(2, return_indices=True), "return_indices must be False, got True; "),
        (nn.AdaptiveAvgPool2d(2), "output_size must be 1, got 2; "),
        (nn.BatchNorm2d(1, momentum=None), "momentum must be a number, got None"),
    ],
)
def test_a_layer_or_setting_without_a_twin_is_refused(layer, message):
    with pytest.raises(ConfigError) as caught:
        from_scratch(blocks.named(odd=layer))
    assert message in str(caught.value)
    assert str(caught.value).endswith("set model.operations=torch")


def test_a_lone_layer_is_refused_without_a_name():
    with pytest.raises(ConfigError, match=r"^a GELU has no counterpart in tellapart\.ops; "):
        from_scratch(nn.GELU())


def test_a_layer_inside_a_block_is_named_in_full():
    network = build_network("small-residual", DIGITS, 10, {})
    network.block1.second.conv = nn.ConvTranspose2d(64, 64, 3, padding=1)
    with pytest.raises(ConfigError, match=r"^layer 'block1\.second\.conv', a ConvTranspose2d, "):
        from_scratch(network)


def trained(tmp_path, recipe, operations, **changes):
    """One epoch on the bundled digits."""
    settings = {"training.epochs": 1, "training.precision": "fp32", "model.operations": operations}
    return train(
        recipe=recipe,
        settings=[f"{key}={value}" for key, value in {**settings, **changes}.items()],
        out=tmp_path / f"{recipe}-{operations}",
        session=Session(threads=1),
    )


def losses(result):
    return [row["train_loss"] for row in RunFolder(result.run).read_metrics()]


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in TUTORIALS],
)
def test_a_tutorial_recipe_has_torchs_losses(recipe, tmp_path):
    """In fp32, within 1 %: rounding grows from step to step, fastest under Adam."""
    assert load_recipe(recipe).model.operations == "torch"
    torchs, ours = (trained(tmp_path, recipe, how) for how in ("torch", "from_scratch"))
    assert losses(ours) == pytest.approx(losses(torchs), rel=0.01)
    assert ours.test.loss == pytest.approx(torchs.test.loss, rel=0.02)
    assert abs(ours.test_accuracy - torchs.test_accuracy) <= 0.005


def test_the_losses_of_the_first_steps_are_torchs_to_one_in_ten_thousand(tmp_path):
    pictures = load_data_set("mnist-sample").split("train")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    measured = []
    for network in network_and_twin("dropout", dtype=torch.float32):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
        torch.manual_seed(4)
        measured.append([])
        for indices in order.split(64)[:8]:
            logits = network(pictures.images[indices] / 255)
            loss = nn.functional.cross_entropy(logits, pictures.labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            measured[-1].append(float(loss.detach()))
    assert measured[1] == pytest.approx(measured[0], rel=1e-4)
    assert measured[0][-1] < measured[0][0]


def test_a_run_from_scratch_is_saved_evaluated_and_loaded_as_any_other(tmp_path):
    result = trained(tmp_path, "tutorial-lenet", "from_scratch")
    loaded = load_classifier(RunFolder(result.run).classifier_file)
    assert {type(layer).__module__.split(".")[0] for layer in layers_of(loaded)} >= {"torch"}
    assert type(loaded.network.conv1) is nn.Conv2d
    again = evaluate(result.run)
    assert again.evaluation.accuracy == pytest.approx(result.test_accuracy, abs=0.001)
    assert again.evaluation.loss == pytest.approx(result.test.loss, rel=1e-4)


class StopsAfterOneEpoch(Callbacks):
    def on_epoch_end(self, *_):
        raise KeyboardInterrupt


def test_a_run_from_scratch_is_resumed_bit_by_bit(tmp_path):
    whole = trained(tmp_path, "tutorial-two-conv-5x5", "from_scratch", **{"training.epochs": 2})
    settings = ["training.epochs=2", "training.precision=fp32", "model.operations=from_scratch"]
    with pytest.raises(KeyboardInterrupt):
        train(
            recipe="tutorial-two-conv-5x5",
            settings=settings,
            out=tmp_path / "halves",
            session=Session(threads=1, callbacks=StopsAfterOneEpoch()),
        )
    halves = train(resume=tmp_path / "halves", session=Session(threads=1))
    assert halves.weights_sha256 == whole.weights_sha256
    assert losses(halves) == losses(whole)


def test_a_classifier_of_a_twin_is_saved_under_the_same_names(tmp_path):
    network, twin = network_and_twin("ghost", {"width": 4}, torch.float32)
    classifier = Classifier(
        twin,
        ClassifierSpec(
            network="ghost",
            arguments={"width": 4},
            class_names=tuple("0123456789"),
            image_shape=DIGITS,
            normalization=Normalization((0.1,), (0.3,)),
        ),
    )
    save_classifier(tmp_path / "model.safetensors", classifier, {})
    loaded = load_classifier(tmp_path / "model.safetensors")
    pictures = torch.randint(0, 256, (5, *DIGITS), dtype=torch.uint8)
    wanted = classifier.with_network(network.eval())(pictures)
    assert torch.allclose(loaded(pictures), wanted, atol=1e-5)
    assert torch.allclose(classifier.eval()(pictures), wanted, atol=1e-5)


def test_other_operations_are_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match="operations must be one of torch, from_scratch"):
        train(settings=["model.operations=scratch"], out=tmp_path / "run")
