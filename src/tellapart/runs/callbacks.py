"""Whoever wants to see a workflow at work: a progress bar, a notebook, nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.runs.planning import Plan
    from tellapart.training.trainer import EpochReport


class Callbacks:
    """Is told what happens; does nothing. Override what you want to see."""

    def download(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """A file of a data set is being fetched."""

    def decoding(self, done: int, total: int) -> None:
        """``done`` of ``total`` picture files have been decoded."""

    def plan(self, plan: Plan) -> None:
        """Data, recipe and network are known and agree; nothing is written yet."""

    def step(self, epoch: int, done: int, total: int, mean_loss: float) -> None:
        """``done`` of the epoch's ``total`` pictures have been learned from."""

    def epoch(self, report: EpochReport, num_epochs: int) -> None:
        """An epoch is over and saved."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def warn(self, text: str) -> None:
        """Something that may make a number mean less than it seems to."""

    def __enter__(self) -> Callbacks:
        return self

    def __exit__(self, *error: Any) -> None:
        """The workflow is over, well or not."""
