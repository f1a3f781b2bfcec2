"""timm's networks as a source, with a stand-in for timm: the real one needs torchvision."""

import sys
from types import ModuleType

import pytest
import safetensors.torch
import torch
from torch import nn

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.finetuning.pretrained import load_pretrained
from tellapart.finetuning.stages import feature_stages
from tellapart.models.checkpoint import load_classifier, save_classifier
from tellapart.models.registry import build_network
from tellapart.models.timm_networks import build_timm


class Tiny(nn.Module):
    """Shaped as timm's networks are: a stem, stages, a head that can be taken off."""

    pretrained_cfg = {  # noqa: RUF012
        "input_size": (3, 12, 12),
        "mean": (0.5, 0.4, 0.3),
        "std": (0.1, 0.2, 0.3),
    }

    def __init__(self, in_chans=3, num_classes=7):
        super().__init__()
        self.stem = nn.Conv2d(in_chans, 4, 3, padding=1)
        self.stages = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1))
        self.head = nn.Linear(6, num_classes) if num_classes else nn.Identity()

    def reset_classifier(self, num_classes):
        assert num_classes == 0
        self.head = nn.Identity()

    def forward(self, pictures):
        assert min(pictures.shape[2:]) >= 8, "Input height doesn't match model"
        return self.head(self.stages(self.stem(pictures)).mean((2, 3)))


@pytest.fixture
def timm(monkeypatch):
    """What is used of timm; ``failure`` is raised where weights are to be fetched."""
    module = ModuleType("timm")
    module.failure = None

    def create_model(name, pretrained, **arguments):
        assert name == "tiny.v1"
        if pretrained and module.failure:
            raise module.failure
        with torch.random.fork_rng():
            torch.manual_seed(3 if pretrained else 4)
            return Tiny(**arguments)

    module.is_model = lambda name: name == "tiny.v1"
    module.list_models = lambda pattern: ["tiny.v1"] if pattern.strip("*") in "tiny.v1" else []
    module.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def test_a_network_of_timm_becomes_a_source(timm):
    classifier = load_pretrained("tiny.v1")
    assert classifier.spec.network == "timm:tiny.v1"
    assert classifier.image_shape == (3, 12, 12)
    assert classifier.spec.normalization.mean == (0.5, 0.4, 0.3)
    assert classifier.spec.normalization.std == (0.1, 0.2, 0.3)
    assert torch.equal(
        classifier.network.backbone.stem.weight, timm.create_model("tiny.v1", True).stem.weight
    )
    assert [stage.name for stage in feature_stages(classifier.network)] == [
        "backbone.stem",
        "backbone.stages.0",
        "backbone.stages.1",
    ]


def test_it_is_built_for_the_data_by_its_name(timm):
    network = build_network("timm:tiny.v1", (1, 16, 9), 5, {})
    assert network(torch.zeros(2, 1, 16, 9)).shape == (2, 5)


def test_it_takes_no_arguments(timm):
    with pytest.raises(ConfigError, match=r"'timm:tiny\.v1' takes no arguments, got width"):
        build_network("timm:tiny.v1", (1, 16, 9), 5, {"width": 3})


def test_its_classifier_file_is_loaded_like_any_other(timm, tmp_path):
    classifier = load_pretrained("tiny.v1").eval()
    save_classifier(tmp_path / "model.safetensors", classifier, {})
    loaded = load_classifier(tmp_path / "model.safetensors")
    images = torch.randint(0, 256, (2, 3, 12, 12), dtype=torch.uint8)
    torch.testing.assert_close(loaded(images), classifier(images))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_come_from_a_file(timm, tmp_path, suffix):
    timm.failure = OSError("there is no network in a test")
    given, path = Tiny().state_dict(), tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(given, path)
    else:
        safetensors.torch.save_file(given, path)
    network = load_pretrained("tiny.v1", path).network
    assert torch.equal(network.backbone.stem.weight, given["stem.weight"])


def refusal(*arguments):
    with pytest.raises((ConfigError, ClassifierFileError)) as raised:
        load_pretrained(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_no_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    message = refusal("tiny.v1")
    assert "timm is not installed" in message
    assert 'pip install "tellapart[pretrained]"' in message


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("raise ModuleNotFoundError('gone', name='torchvision')", "for torchvision is missing"),
        ("raise RuntimeError('operator torchvision::nms does not exist')", "torchvision::nms"),
    ],
)
def test_a_torchvision_that_is_missing_or_does_not_fit(monkeypatch, tmp_path, failure, reason):
    (tmp_path / "timm.py").write_text(failure, "utf-8")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    message = refusal("tiny.v1")
    assert reason in message
    assert f"a torchvision that fits torch {torch.__version__}" in message


def test_an_unknown_name(timm):
    assert refusal("tiny") == "timm has no network 'tiny'; did you mean tiny.v1?"
    assert refusal("resnet") == "timm has no network 'resnet'; see timm.list_models()"


def test_no_network_to_fetch_by(timm):
    timm.failure = OSError("Name or service not known")
    assert refusal("tiny.v1") == (
        "the weights of timm's 'tiny.v1' cannot be fetched (Name or service not known); "
        "without a network give them with --weights FILE"
    )


def test_weights_that_are_none_or_of_another_network(timm, tmp_path):
    assert "does not exist; --weights takes a file" in refusal("tiny.v1", tmp_path / "gone.pth")
    garbage = tmp_path / "garbage.pth"
    garbage.write_bytes(b"\x07" * 99)
    assert "cannot be read as weights" in refusal("tiny.v1", garbage)
    other = tmp_path / "other.safetensors"
    safetensors.torch.save_file(nn.Linear(2, 2).state_dict(), other)
    assert "does not hold the weights asked for" in refusal("tiny.v1", other)


def test_images_it_cannot_take(timm):
    with pytest.raises(ConfigError, match=r"timm's 'tiny.v1' cannot take images .*\(1, 4, 4\)"):
        build_timm("tiny.v1", (1, 4, 4), 3)
