"""A run that is trained once, and a place of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.runs.session import Session
from tellapart.workflow.train import train


@pytest.fixture(autouse=True)
def in_own_place(own_place: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here has a working directory of its own, and lines of 100 characters."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on mnist-sample; whoever changes its files works on a copy."""
    result = train(
        settings=["epochs=1", "model.network=single-conv"],
        out=tmp_path_factory.mktemp("runs") / "sample",
        session=Session(threads=1),
    )
    return result.run
