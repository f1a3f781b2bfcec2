"""Whoever follows a command at work: a progress bar, a notebook, nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.runs.plan import Plan
    from tellapart.training.trainer import EpochReport


class Callbacks:
    """Is called at named moments, and does nothing; override what you want to follow.

    >>> class Losses(Callbacks):
    ...     def on_epoch_end(self, report, num_epochs):
    ...         print(report.epoch, report.train_loss)
    """

    def on_download(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """A file of a data set is being fetched."""

    def on_decoding(self, done: int, total: int) -> None:
        """``done`` of ``total`` image files have been decoded."""

    def on_plan(self, plan: Plan) -> None:
        """Data, recipe and network are known and agree; training begins."""

    def on_step(self, epoch: int, done: int, total: int, mean_loss: float) -> None:
        """``done`` of the epoch's ``total`` images have been trained on."""

    def on_epoch_end(self, report: EpochReport, num_epochs: int) -> None:
        """An epoch is over and saved."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def warn(self, text: str) -> None:
        """Something that may make a figure mean less than it seems to."""

    def __enter__(self) -> Callbacks:
        return self

    def __exit__(self, *error: Any) -> None:
        """The command is over, well or not."""
