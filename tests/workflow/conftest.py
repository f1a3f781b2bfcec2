"""Small data, a run that is trained once, and trainings that die in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tellapart.models.checkpoint import load_tensors
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.training_result import TrainingResult

DOOMED = Path(__file__).with_name("doomed_training.py")


@pytest.fixture(autouse=True)
def in_own_place(own_place: None) -> None:
    """Every test here has a working directory of its own."""


class Recorded(Callbacks):
    """Keeps the warnings, for a session of its own."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.session = Session(threads=1, callbacks=self)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


class InterruptAfter(Callbacks):
    """Presses Ctrl-C when epoch ``epoch`` is over; at 0, before the first one."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def on_plan(self, plan: Any) -> None:  # noqa: ARG002
        if self._epoch == 0:
            raise KeyboardInterrupt

    def on_epoch_end(self, report: Any, num_epochs: int) -> None:  # noqa: ARG002
        if report.epoch == self._epoch:
            raise KeyboardInterrupt


@pytest.fixture
def interrupt_after() -> type[InterruptAfter]:
    return InterruptAfter


def saved_epochs(run: Path) -> int:
    """How many epochs the training state holds."""
    state = RunFolder(run).state_file
    return len(load_tensors(state)[1]["history"]) if state.exists() else 0


@pytest.fixture
def epochs_saved_in() -> Callable[[Path], int]:
    return saved_epochs


@dataclass(frozen=True)
class Workshop:
    """Starts trainings in processes that can be killed without harm to this one.

    They are forked from a server that has torch imported and nothing computed yet, which takes
    milliseconds where a fresh interpreter takes seconds.
    """

    context: Any

    def start(self, **arguments: Any) -> BaseProcess:
        """``train(**arguments)``; with ``die_at_sync=n`` it dies in its n-th sync to the disk."""
        process: BaseProcess = self.context.Process(
            target=runpy.run_path,
            args=(str(DOOMED),),
            kwargs={"init_globals": {"ARGUMENTS": arguments}},
        )
        process.start()
        return process


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    if os.name != "posix":
        pytest.skip("needs fork and SIGKILL, which only POSIX has")
    context = multiprocessing.get_context("forkserver")
    # The second is what torch's optimisers import on their first step: a second for each process.
    context.set_forkserver_preload(["tellapart.workflow.train", "torch._dynamo"])
    return Workshop(context)


@pytest.fixture
def require_same_run() -> Callable[[TrainingResult, TrainingResult], None]:
    return _require_same_run


def _require_same_run(result: TrainingResult, reference: TrainingResult) -> None:
    """Same weights and figures, a row per epoch, and no half of a file left behind."""
    assert result.weights_sha256 == reference.weights_sha256
    assert result.num_epochs == reference.num_epochs
    assert result.validation_accuracy == reference.validation_accuracy
    ours, theirs = RunFolder(result.run), RunFolder(reference.run)
    assert _without_times(ours.read_metrics()) == _without_times(theirs.read_metrics())
    assert [row["epoch"] for row in ours.read_metrics()] == list(range(1, result.num_epochs + 1))
    assert ours.evaluation_file.read_bytes() == theirs.evaluation_file.read_bytes()
    names = {path.name for path in theirs.path.iterdir()}
    assert {path.name for path in ours.path.iterdir()} == names


def _without_times(rows: Sequence[dict[str, float | None]]) -> list[dict[str, float | None]]:
    timed = {"seconds", "images_per_second"}
    return [{name: cell for name, cell in row.items() if name not in timed} for row in rows]
