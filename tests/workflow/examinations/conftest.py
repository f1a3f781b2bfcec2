"""A place of its own for every test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tellapart.workflow.training_result import TrainingResult


@pytest.fixture(autouse=True)
def in_own_place(own_place: None) -> None:
    """Every test here has a working directory of its own."""


@pytest.fixture
def run(trained: TrainingResult, tmp_path: Path) -> Path:
    """The run on mnist-sample, a copy that may be spoiled."""
    return Path(shutil.copytree(trained.run, tmp_path / "run"))
