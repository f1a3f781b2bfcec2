"""The command line, called as a person calls it, and a run that is trained once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tellapart.cli import run as run_command_line
from tellapart.data.image_set import ImageSet
from tellapart.data.sets.idx import write_idx
from tellapart.data.sets.sources import load_data_set
from tellapart.workflow.train import train


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


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory of its own, no data of this machine, wide lines, threads as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELLAPART_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _write_split(folder: Path, prefix: str, pictures: ImageSet) -> None:
    labels = pictures.labels.numpy().astype(np.uint8)
    write_idx(folder / f"{prefix}-images-idx3-ubyte", pictures.images[:, 0].numpy())
    write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of IDX files: 400 digits to learn from, 100 to test on."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    folder.mkdir()
    sample = load_data_set("mnist-sample")
    _write_split(folder, "train", sample.split("train").select(torch.arange(0, 4000, 10)))
    _write_split(folder, "t10k", sample.split("test").select(torch.arange(0, 1000, 10)))
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on mnist-sample; whoever changes its files works on a copy."""
    result = train(
        settings=["epochs=1", "model.network=single-conv"],
        out=tmp_path_factory.mktemp("runs") / "sample",
        threads=1,
    )
    return result.run
