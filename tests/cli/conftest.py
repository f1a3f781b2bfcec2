"""The command line, called as a person calls it, and a run that is trained once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli import run as run_command_line
from tellapart.runs.session import Session
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
