"""What every test may lean on: one thread, a place of its own, the command line, small data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
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
