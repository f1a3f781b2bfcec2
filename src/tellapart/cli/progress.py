"""Progress on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tellapart.cli.tables import print_plan
from tellapart.runs.callbacks import Callbacks
from tellapart.wording import percent

if TYPE_CHECKING:
    from tellapart.finetuning.transfer import TensorTransfer
    from tellapart.runs.plan import Plan
    from tellapart.training.trainer import EpochReport

_PLAIN_STEP = 0.25


class ConsoleCallbacks(Callbacks):
    """Shows a workflow on standard error."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._plain_fraction = 0.0
        self._transfers_shown: tuple[TensorTransfer, ...] = ()

    def on_download(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """A bar, or a line for every quarter."""
        total = total_bytes or 0
        if self._console.is_terminal:
            self._bar(f"fetching {name}", done_bytes, total or done_bytes)
            if total and done_bytes >= total:
                self._stop()
            return
        fraction = done_bytes / total if total else 0.0
        if fraction >= self._plain_fraction + _PLAIN_STEP or done_bytes == total:
            self._plain_fraction = fraction
            line = f"fetching {name}: {done_bytes / 1e6:.1f} of {total / 1e6:.1f} MB"
            self._console.print(line, markup=False, soft_wrap=True)

    def on_decoding(self, done: int, total: int) -> None:
        """A bar, or a line for every quarter."""
        self._count("preparing images", done, total)

    def on_progress(self, what: str, done: int, total: int) -> None:
        """A bar, or a line for every quarter."""
        self._count(what, done, total)

    def _count(self, what: str, done: int, total: int) -> None:
        if self._console.is_terminal:
            self._bar(what, done, total)
            if done == total:
                self._stop()
            return
        fraction = done / total
        if done == total or fraction >= self._plain_fraction + _PLAIN_STEP:
            self._plain_fraction = fraction if done < total else 0.0
            self._console.print(f"{what}: {done:,} of {total:,}", markup=False, soft_wrap=True)

    def on_plan(self, plan: Plan) -> None:
        """Prints the plan; of a comparison's runs, the first lists the weights that are loaded."""
        self._stop()
        transfers = plan.start.transfers if plan.start else ()
        print_plan(plan, self._console, shows_transfers=transfers != self._transfers_shown)
        self._transfers_shown = transfers or self._transfers_shown

    def on_step(self, epoch: int, done: int, total: int, mean_loss: float) -> None:
        """Moves the bar; plain output has a line per epoch only."""
        if self._console.is_terminal:
            self._bar(f"epoch {epoch}  loss {mean_loss:.4f}", done, total)

    def on_epoch_end(self, report: EpochReport, num_epochs: int) -> None:
        """One line per epoch."""
        self._stop()
        width = len(str(num_epochs))
        parts = [
            f"epoch {report.epoch:{width}}/{num_epochs}",
            f"loss {report.train_loss:.4f}",
            f"train {percent(report.train_accuracy)}",
        ]
        if report.validation_loss is not None and report.validation_accuracy is not None:
            parts += [
                f"validation loss {report.validation_loss:.4f}",
                f"validation {percent(report.validation_accuracy)}",
            ]
        if report.validation_macro_f1 is not None:
            parts.append(f"macro F1 {report.validation_macro_f1:.4f}")
        parts.append(f"{report.seconds:.1f} s")
        self._console.print("  ".join(parts), soft_wrap=True)

    def note(self, text: str) -> None:
        """A line."""
        self._stop()
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line in yellow that starts with ``warning:``."""
        self._stop()
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def __exit__(self, *error: Any) -> None:
        self._stop()

    def _bar(self, description: str, done: int, total: int) -> None:
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task(description, total=total)
            self._progress.start()
        assert self._task is not None
        self._progress.update(self._task, description=description, completed=done, total=total)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
