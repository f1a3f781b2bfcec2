"""``train``: from a data set and a recipe to a run."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tellapart.config import Recipe, recipe_from_mapping
from tellapart.data.image_set import DataSet
from tellapart.data.sets.table import table_text
from tellapart.errors import RunError
from tellapart.evaluation import Evaluation
from tellapart.files import uninterrupted, write_whole
from tellapart.finetuning.start import Start, save_start
from tellapart.models.checkpoint import load_tensors, save_classifier, save_tensors, weights_sha256
from tellapart.models.views import num_views
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import RunFolder, create_run, open_run
from tellapart.runs.planning import Plan, make_plan, require_same_recipe
from tellapart.runtime import describe_environment, set_threads
from tellapart.training.trainer import Trainer
from tellapart.workflow.evaluate import evaluate_and_report, evaluation_title


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    ``train_seconds`` is the training loop alone; ``total_seconds`` everything from the call to
    ``train`` on. ``views`` is how many views of a picture the classifier answers by. ``test`` is
    None where the data set has no test split, ``start`` where training began from zero.
    """

    run: Path
    data: str
    recipe: str
    seed: int
    num_parameters: int
    num_epochs: int
    train_seconds: float
    total_seconds: float
    views: int
    validation_accuracy: float | None
    test: Evaluation | None
    device: str
    precision: str
    weights_sha256: str
    start: Start | None = None

    @property
    def title(self) -> str:
        """Of the evaluation on the test split: ``mnist, test split``, and views if several."""
        return evaluation_title(self.data, "test", (self.views,))

    @property
    def test_accuracy(self) -> float | None:
        """Share of the test split that was named rightly."""
        return self.test.accuracy if self.test else None

    @property
    def test_accuracy_interval(self) -> tuple[float, float] | None:
        """Its Wilson interval at 95 %."""
        return self.test.accuracy_interval if self.test else None

    def to_json(self) -> dict[str, Any]:
        """What ``train --json`` prints."""
        interval = self.test_accuracy_interval
        content = {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name not in ("test", "start")
        }
        return {
            **content,
            "run": str(self.run),
            "test_accuracy": self.test_accuracy,
            "test_accuracy_interval": list(interval) if interval else None,
            "test_loss": self.test.loss if self.test else None,
            **(self.start.to_json() if self.start else {}),
        }


def train(
    data: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Sequence[str] = (),
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
) -> TrainingResult:
    """Trains a classifier, evaluates it once on the test split, and leaves a run folder.

    Args:
        data: a catalogue name or a folder; None is ``mnist-sample``.
        recipe: a name, a ``.toml`` file or a :class:`~tellapart.config.Recipe`; None chooses one
            for the data's size.
        settings: ``KEY=VALUE`` changes to the recipe.
        shots: so many training pictures a class; None takes what the recipe says.
        seed: instead of the recipe's.
        out: the run folder, new or empty; None chooses ``runs/DATA-RECIPE-N``.
        resume: a run to go on with; data, recipe and seed come from it, and if given must agree.
        data_dir: where the catalogue's files are looked for first.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: how many the processor may use for one operation; None is torch's choice.
        callbacks: is told of progress.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
        KeyboardInterrupt: after what was being written is whole; its note says how to go on.
    """
    started = time.perf_counter()
    callbacks = callbacks or Callbacks()
    set_threads(threads)
    run = open_run(Path(resume)) if resume else None
    if shots is not None:
        settings = (*settings, f"data.shots={shots}")
    plan = make_plan(
        data,
        recipe=recipe,
        settings=settings,
        seed=seed,
        run=run,
        data_dir=data_dir,
        device=device,
        callbacks=callbacks,
    )
    trainer = make_trainer(plan)
    if run is None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        reference = plan.start.reference if plan.start else None
        run = create_run(Path(out) if out else None, plan.recipe, plan.data, now, reference)
        if plan.data_set.files:
            _record_images(run, plan.data_set)
    elif out is not None and Path(out).resolve() != run.path.resolve():
        raise RunError(f"--resume goes on in {run.path} itself; leave out --out {out}")
    if plan.start and not run.start_file.exists():
        save_start(run, plan.start)
    callbacks.plan(plan)
    with callbacks, _resumable(run):
        _restore(trainer, run, plan, callbacks)
        run.write_json(run.environment_file, describe_environment(plan.runtime))
        _train_to_the_end(trainer, run, plan, callbacks)
        test = _finish(run, plan)
    history = trainer.history
    return TrainingResult(
        run=run.path,
        data=plan.data.name,
        recipe=plan.recipe.name,
        seed=plan.recipe.training.seed,
        num_parameters=plan.num_parameters,
        num_epochs=len(history),
        train_seconds=sum(report.seconds for report in history),
        total_seconds=time.perf_counter() - started,
        views=num_views(plan.classifier.views),
        validation_accuracy=_validation_accuracy(trainer),
        test=test,
        device=str(plan.runtime.device),
        precision=plan.runtime.precision,
        weights_sha256=weights_sha256(plan.classifier.network.state_dict()),
        start=plan.start,
    )


def make_trainer(plan: Plan) -> Trainer:
    """The trainer of a plan; writes nothing.

    Raises:
        ConfigError: a batch larger than the train split, or a teacher of other classes.
    """
    return Trainer(
        plan.classifier, plan.train, plan.validation, plan.recipe, plan.runtime, plan.teacher
    )


def _record_images(run: RunFolder, data_set: DataSet) -> None:
    """Writes down which file was of which class in which split, as a table to train on."""
    names = data_set.class_names
    rows = [
        (str(path.resolve()), names[label], split)
        for split, paths in data_set.files.items()
        for path, label in zip(paths, data_set.split(split).labels.tolist(), strict=True)
    ]
    write_whole(run.images_file, table_text(rows))


def _restore(trainer: Trainer, run: RunFolder, plan: Plan, callbacks: Callbacks) -> None:
    """Puts the trainer where the run was left; a run that was stopped before that starts anew."""
    _remove_halves(run)
    if not run.state_file.exists():
        return
    tensors, header = load_tensors(run.state_file)
    try:
        saved = recipe_from_mapping(header["recipe"], origin=str(run.state_file))
        fingerprint, threads = header["fingerprint"], header["threads"]
        precision = header["precision"]
    except (KeyError, TypeError):
        raise RunError(f"{run.state_file} is not a training state; train a new run") from None
    require_same_recipe(run.path, "of its training state", saved, plan.recipe)
    if fingerprint != plan.data.fingerprint:
        raise RunError(f"the training state of {run.path} belongs to other data; train a new run")
    if threads != torch.get_num_threads() or precision != plan.runtime.precision:
        callbacks.warn(
            f"the run began on {threads} threads in {precision} and goes on on "
            f"{torch.get_num_threads()} in {plan.runtime.precision}: sums are added in another "
            "order, so its weights will differ in the last digits"
        )
    trainer.restore(tensors, header)
    if trainer.history:
        # A run killed after its last state was saved, but before its last row, has no epoch left
        # that would write the row.
        run.write_metrics([asdict(row) for row in trainer.history])
    callbacks.note(f"goes on after epoch {len(trainer.history)} of {plan.recipe.training.epochs}")


def _remove_halves(run: RunFolder) -> None:
    """Removes what a kill in the middle of a write left beside the file that was being written."""
    for half in run.path.glob(".*.part"):
        with contextlib.suppress(OSError):
            half.unlink()


@contextlib.contextmanager
def _resumable(run: RunFolder) -> Iterator[None]:
    """Says on an interrupt how to go on; as a note, so that a notebook shows it too."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"go on with `tellapart train --resume {shlex.quote(str(run.path))}`")
        raise


def _train_to_the_end(trainer: Trainer, run: RunFolder, plan: Plan, callbacks: Callbacks) -> None:
    """Trains the epochs that are left; after each, the run can be resumed from there."""

    def on_step(done: int, total: int, mean_loss: float) -> None:
        callbacks.step(len(trainer.history) + 1, done, total, mean_loss)

    for report in trainer.epochs(on_step):
        tensors, header = trainer.state()
        header |= {
            "recipe": plan.recipe.to_mapping(),
            "fingerprint": plan.data.fingerprint,
            "threads": torch.get_num_threads(),
            "precision": plan.runtime.precision,
        }
        # State first: rows of metrics.csv are in it, so a kill between the two loses nothing.
        with uninterrupted():
            save_tensors(run.state_file, tensors, header)
            run.write_metrics([asdict(row) for row in trainer.history])
        callbacks.epoch(report, plan.recipe.training.epochs)


def _finish(run: RunFolder, plan: Plan) -> Evaluation | None:
    """Saves the classifier and reads the test split, for the first and only time."""
    if "test" not in plan.data_set.splits:
        _save(run, plan, {})
        return None
    return evaluate_and_report(
        plan.classifier,
        plan.data_set.split("test"),
        run=run,
        data=plan.data.name,
        split="test",
        views=(num_views(plan.classifier.views),),
        runtime=plan.runtime,
        folder=run.path,
        before_writing=lambda made: _save(run, plan, made.to_json()),
    )


def _save(run: RunFolder, plan: Plan, evaluation: dict[str, Any]) -> None:
    scores = ("num_images", "accuracy", "accuracy_interval", "loss", "macro_f1")
    training = {
        "recipe": plan.recipe.to_mapping(),
        "data": plan.data.name,
        "fingerprint": plan.data.fingerprint,
        "data_licence": plan.data_set.licence,
        **({"finetuned_from": asdict(plan.start.reference)} if plan.start else {}),
        "test": {name: evaluation[name] for name in scores if name in evaluation},
        "environment": describe_environment(plan.runtime),
    }
    with uninterrupted():
        save_classifier(run.classifier_file, plan.classifier, training)


def _validation_accuracy(trainer: Trainer) -> float | None:
    """Of the weights that were kept: the best epoch's with early stopping, else the last's."""
    if not trainer.history:
        return None
    best = trainer.early_stopping.best_epoch
    return trainer.history[best - 1 if best else -1].validation_accuracy
