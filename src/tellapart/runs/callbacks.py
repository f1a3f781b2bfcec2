"""The hooks by which a progress bar or a notebook follows a command."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.runs.plan import Plan
    from tellapart.training.trainer import EpochReport


class Callbacks:
    """Hooks that commands call at named moments; each does nothing until it is overridden.

    >>> class Losses(Callbacks):
    ...     def on_epoch_end(self, report, num_epochs):
    ...         print(report.epoch, report.train_loss)
    """

    def on_download(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """Called while a file of a data set is downloaded."""

    def on_decoding(self, done: int, total: int) -> None:
        """Called when ``done`` of ``total`` image files have been decoded."""

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Called when ``done`` of the ``total`` parts of ``what`` have been computed."""

    def progress_of(self, what: str) -> Callable[[int, int], None]:
        """Return `on_progress` for one kind of work, a function of ``done`` and ``total``."""
        return partial(self.on_progress, what)

    def on_plan(self, plan: Plan) -> None:
        """Called when data, recipe and network are known and agree, before training begins."""

    def on_step(self, epoch: int, done: int, total: int, mean_loss: float) -> None:
        """Called when ``done`` of the epoch's ``total`` images have been trained on."""

    def on_epoch_end(self, report: EpochReport, num_epochs: int) -> None:
        """Called when an epoch is finished and saved."""

    def note(self, text: str) -> None:
        """Called with a message for the person."""

    def warn(self, text: str) -> None:
        """Called with a warning, e.g. about data that makes an accuracy misleading."""

    def __enter__(self) -> Callbacks:
        return self

    def __exit__(self, *error: Any) -> None:
        """Called when the command ends, also on an error."""
