"""A person's own network is built where the person typed it, and nowhere else."""

import sys

import pytest
import torch
from torch import nn

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.models.checkpoint import load_classifier, save_classifier
from tellapart.models.classifier import Classifier
from tellapart.models.own_network import build_own, is_own
from tellapart.models.registry import build_network, seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization

DIGITS = (1, 28, 28)
NET = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, in_channels, num_classes, width=4):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3)
        self.fc = nn.Linear(width, num_classes)
        self.scale = torch.tensor(2.0)  # no buffer: a file holds nothing of it

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3))) * self.scale

def make(num_classes, image_shape):
    size = image_shape[0] * image_shape[1] * image_shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(size, num_classes))

class Article(nn.Module):
    '''As an article writes it: digits of 28x28, ten classes.'''
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 26 * 26, 10)

    def forward(self, x):
        return F.log_softmax(self.fc(torch.flatten(self.conv(x), 1)), dim=1)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_nets.py").write_text(NET, "utf-8")
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def build(spelling="my_nets.py:Net", shape=DIGITS, num_classes=10, arguments=None):
    return build_network(spelling, shape, num_classes, arguments or {}, own=spelling)


def refusal(*arguments, **keywords):
    with pytest.raises(ConfigError) as caught:
        build(*arguments, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spelling", "shape", "num_classes"),
    [
        ("my_nets.py:Net", (3, 9, 14), 5),
        ("my_nets:Net", (3, 9, 14), 5),
        ("my_nets.py:make", (3, 9, 14), 5),
        ("my_nets.py:Article", DIGITS, 10),
    ],
)
def test_a_class_or_a_function_takes_what_its_signature_names(spelling, shape, num_classes):
    network = build(spelling, shape, num_classes)
    assert network(torch.rand(4, *shape)).shape == (4, num_classes)
    assert all(module.training for module in network.modules())


def test_a_path_may_be_absolute_and_a_module_in_a_package(folder):
    assert build(f"{folder / 'my_nets.py'}:Net").conv.in_channels == 1
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "parts.py").write_text(NET)
    assert build("package.parts:Net").conv.in_channels == 1


def test_arguments_reach_it_by_name():
    assert build(arguments={"width": 7}).fc.in_features == 7


def test_a_file_finds_its_neighbours_and_the_path_is_as_before(folder):
    (folder / "nets").mkdir()
    (folder / "nets" / "parts.py").write_text("WIDTH = 6\n")
    text = NET.replace("width=4", "width=parts.WIDTH")
    (folder / "nets" / "mine.py").write_text("import parts\n" + text)
    before = list(sys.path)
    assert build("nets/mine.py:Net").fc.in_features == 6
    assert sys.path == before


def test_two_files_of_one_name_and_a_file_that_has_changed_are_different_modules(folder):
    (folder / "other").mkdir()
    (folder / "other" / "my_nets.py").write_text(NET.replace("width=4", "width=5"))
    assert build().fc.in_features == 4
    assert build("other/my_nets.py:Net").fc.in_features == 5
    (folder / "my_nets.py").write_text(NET.replace("width=4", "width=6"))
    assert build().fc.in_features == 6


def test_weights_come_from_the_seed():
    def weights(seed):
        own = "my_nets.py:Net"
        return seeded_network(own, DIGITS, 10, {}, seed, own).conv.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_nothing_is_imported_because_a_file_names_it(folder):
    (folder / "trap.py").write_text("raise SystemExit('run')")
    for name in ("trap.py:Net", "trap:Net"):
        with pytest.raises(ConfigError, match=f"give --network {name}"):
            build_network(name, DIGITS, 10, {})
    assert "trap" not in sys.modules


def test_what_is_typed_has_to_be_the_network_that_is_asked_for():
    moved = build_network("was/elsewhere.py:Net", DIGITS, 10, {}, own="my_nets.py:Net")
    assert type(moved).__name__ == "Net"
    with pytest.raises(ConfigError, match=r"'Net'.*--network my_nets.py:make"):
        build_network("my_nets.py:Net", DIGITS, 10, {}, own="my_nets.py:make")
    with pytest.raises(ConfigError, match=r"'lenet'.*leave out --network"):
        build_network("lenet", DIGITS, 10, {}, own="my_nets.py:Net")


def test_names_of_ones_own_are_told_from_others():
    assert is_own("my_nets.py:Net")
    assert is_own("package.module:Net")
    assert not is_own("lenet")
    assert not is_own("timm:resnet18")
    with pytest.raises(ConfigError, match=r"my_nets\.py:Net"):
        build_network("my_nets.py", DIGITS, 10, {})


def test_laid_out_without_memory_it_is_made_with_values():
    """As a classifier file is read: what is no weight must not be lost."""
    with torch.device("meta"):
        network = build()
    assert network.scale == 2.0
    assert network.conv.weight.device.type == "cpu"


@pytest.mark.parametrize(
    ("spelling", "words"),
    [
        ("nothing.py:Net", ["nothing.py", "cannot be read"]),
        ("nothing.at.all:Net", ["'nothing.at.all'", "ModuleNotFoundError"]),
        ("my_nets.py:Nett", ["no 'Nett'", "did you mean 'Net'"]),
        ("my_nets.py:torch", ["'torch'", "another kind"]),
        ("my_nets.py:9", ["my_nets.py:9", "my_nets.py:Net"]),
        (":Net", ["':Net'"]),
    ],
)
def test_what_is_not_there_is_refused_by_its_name(spelling, words):
    told = refusal(spelling)
    for word in words:
        assert word in told


FAULTY = {
    "import": ("\n\nx = 1 / 0\n", "ZeroDivisionError at mine.py:3"),
    "syntax": ("\nclass Net(\n", "SyntaxError at mine.py:"),
    "exit": ("import sys\nsys.exit(3)\n", "SystemExit at mine.py:2"),
    "missing module": ("import no_such_thing\n", "ModuleNotFoundError at mine.py:1"),
    "making": (
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self, num_classes):\n"
        "        self.a = nn.Linear(1, num_classes)\n",
        "cannot be made: AttributeError at mine.py:4",
    ),
    "running": (
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self, num_classes):\n"
        "        super().__init__(3, num_classes)\n    def forward(self, x):\n        return x.foo",
        "AttributeError at mine.py:6",
    ),
    "no module": ("def Net(num_classes):\n    return 3\n", "must give an nn.Module, got int"),
    "other class": ("class Net:\n    pass\n", "is a class of another kind"),
    "an object": ("from torch import nn\nNet = nn.Linear(1, 1)\n", "is an object of another kind"),
    "no weights": ("from torch import nn\ndef Net():\n    return nn.Flatten()\n", "(2, 784)"),
    "a dict": (
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self):\n"
        "        super().__init__(1, 1)\n    def forward(self, x):\n        return {}\n",
        "float (2, 10) for two images of (channels, height, width) (1, 28, 28), got dict",
    ),
    "hidden layers": (
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.a = [nn.Linear(784, 10)]\n"
        "    def forward(self, x):\n        return self.a[0](x.flatten(1))\n",
        "no weight to train",
    ),
    "two names": (
        "from torch import nn\ndef Net():\n    a = nn.Linear(784, 784)\n"
        "    return nn.Sequential(nn.Flatten(), a, a, nn.Linear(784, 10))\n",
        "1.weight and 2.weight",
    ),
    "unknown argument": (
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self, num_classes, depth):\n"
        "        super().__init__()\n",
        "takes depth; it is given in_channels, num_classes and image_shape",
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_code_that_fails_is_refused_with_the_reason_and_the_line(folder, case):
    text, words = FAULTY[case]
    (folder / "mine.py").write_text(text)
    assert words in refusal("mine.py:Net")


def test_images_that_it_cannot_take_are_refused_with_their_shape():
    told = refusal("my_nets.py:Article", (1, 32, 32))
    assert "(1, 32, 32)" in told
    assert "my_nets.py:" in told
    assert "image_shape" in told
    assert "(3, 28, 28)" in refusal("my_nets.py:Article", (3, 28, 28))
    told = refusal("my_nets.py:Article", num_classes=3)
    assert "(2, 3)" in told
    assert "(2, 10)" in told


def test_arguments_that_it_has_not_or_that_are_not_ones_to_set_are_refused():
    assert "has no argument 'depth'; it takes: width" in refusal(arguments={"depth": 3})
    assert "comes from the data" in refusal(arguments={"num_classes": 3})


def test_what_it_prints_does_not_go_among_the_results(folder, capsys):
    (folder / "loud.py").write_text("print('imported')\n" + NET)
    build("loud.py:Net")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "imported" in printed.err


def test_a_network_in_double_dropout_or_with_norms_is_tried_in_evaluation_mode(folder):
    (folder / "norms.py").write_text(
        "from torch import nn\ndef make(in_channels, num_classes):\n"
        "    return nn.Sequential(nn.BatchNorm2d(in_channels), nn.Flatten(),"
        " nn.LazyLinear(num_classes))\n"
    )
    network = build_own("norms.py:make", DIGITS, 3, {})
    assert isinstance(network[2], nn.Linear)
    assert int(network[0].num_batches_tracked) == 0


def test_a_classifier_file_names_its_network_and_is_not_read_by_that_alone(folder):
    classifier = Classifier(
        build(num_classes=2),
        ClassifierSpec(
            network="my_nets.py:Net",
            class_names=("a", "b"),
            image_shape=DIGITS,
            normalization=Normalization((0.0,), (1.0,)),
        ),
    )
    save_classifier(folder / "model.safetensors", classifier, {})
    again = load_classifier(folder / "model.safetensors", "my_nets.py:Net")
    images = torch.randint(0, 256, (2, *DIGITS), dtype=torch.uint8)
    torch.testing.assert_close(again(images), classifier.eval()(images))
    (folder / "my_nets.py").write_text("raise SystemExit('run because a file says so')")
    with pytest.raises(ClassifierFileError, match=r"--network my_nets\.py:Net"):
        load_classifier(folder / "model.safetensors")
