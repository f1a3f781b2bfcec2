"""``train``: train a classifier on a data set by a recipe, and leave a run folder."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch

from tellapart.config import Recipe, Settings, recipe_from_mapping, with_corrections
from tellapart.data.image_set import DataSet
from tellapart.data.sets.table import table_text
from tellapart.errors import ClassifierFileError, RunError
from tellapart.evaluation import Evaluation, predict_logits
from tellapart.evaluation.assessment import Assessment, assess
from tellapart.evaluation.calibration import fit_temperature
from tellapart.files import uninterrupted, write_whole
from tellapart.finetuning.output_layer import fit_output_layer, is_computed
from tellapart.finetuning.stages import output_layer
from tellapart.finetuning.start import Start
from tellapart.models.checkpoint import (
    load_tensors,
    read_spec,
    save_classifier,
    save_tensors,
    weights_sha256,
)
from tellapart.models.classifier import Classifier
from tellapart.models.views import num_views, views_in_words
from tellapart.runs.calibration import HeldOutAnswers
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import Preset, Wish
from tellapart.runs.corrections import kept_text
from tellapart.runs.creation import create_run, require_place_for_run
from tellapart.runs.evaluations import evaluation_title, figures_for_header
from tellapart.runs.folder import RunFolder, find_run
from tellapart.runs.plan import Plan
from tellapart.runs.planning import TrainingRequest, make_plan, require_same_recipe
from tellapart.runs.session import Session
from tellapart.runs.source import save_start
from tellapart.runtime import describe_environment
from tellapart.training.balance import fit_weights
from tellapart.training.trainer import Trainer
from tellapart.workflow.evaluation_page import about_runs, write_or_explain
from tellapart.workflow.flagging import with_outside_rule
from tellapart.workflow.training_result import TrainingResult


def train(
    data: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    preset: Preset | None = None,
    from_zero: bool = False,
    settings: Settings = (),
    corrections: str | Path | None = None,
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    session: Session | None = None,
) -> TrainingResult:
    """Trains a classifier, evaluates it once on the test split, and leaves a run folder.

    Args:
        data: a catalogue name, a folder, a table or an archive; None is ``mnist-sample``.
        recipe: a name, a ``.toml`` file or a :class:`~tellapart.Recipe`; None chooses one that
            suits the data.
        preset: ``quick``, ``good`` or ``best``: chooses the recipe by how long it may take.
        from_zero: refuses to start from a network trained on ImageNet, where one is installed.
        settings: changes to the recipe: values by key, or texts ``KEY=VALUE``.
        corrections: a file of corrected labels, as ``check(data, labels=True)`` writes it.
        shots: training images per class; None is the recipe's value.
        seed: replaces the recipe's seed.
        out: the run folder, new or empty; None chooses ``runs/DATA-RECIPE-N``.
        resume: a run to continue; data, recipe, seed, threads and precision are read from it, and
            must agree if given.
        session: device, data folder and callbacks; None is the default `Session`.

    Returns:
        The run folder, the figures of the test split, and how the run was trained.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.
        KeyboardInterrupt: after files are complete; its note is the command that resumes the run.

    >>> import tellapart
    >>> result = tellapart.train(settings={"epochs": 1, "model.network": "single-conv"})
    >>> result.data, result.num_epochs
    ('mnist-sample', 1)
    """
    run = find_run(Path(resume)) if resume else None
    wish = Wish(preset, from_zero)
    settings = with_corrections(settings, corrections)
    request = TrainingRequest(data, recipe, settings, shots, seed, run, wish)
    return train_as_requested(request, Path(out) if out else None, session or Session())


def train_as_requested(
    request: TrainingRequest, out: Path | None, session: Session
) -> TrainingResult:
    """Train as :func:`train` does, by a `TrainingRequest`.

    Raises:
        TellapartError, KeyboardInterrupt: as :func:`train`.
    """
    started = time.perf_counter()
    run = request.resume
    if run is None:
        require_place_for_run(out)
    elif out is not None and out.resolve() != run.path.resolve():
        raise RunError(f"--resume continues in {run.path} itself; leave out --out {out}")
    session, callbacks = resumed_session(session, run), session.callbacks
    with session.limited_threads():
        plan, trainer = plan_training(request, session)
        if run is None:
            run = _begin(plan, out)
        if plan.start and not is_computed(plan.recipe) and not run.start_file.exists():
            save_start(run, plan.start)
        callbacks.on_plan(plan)
        with callbacks, _resumable(run):
            if plan.start and not run.start_file.exists():
                _start(run, plan, plan.start, trainer, session)
            _restore(trainer, run, plan, callbacks)
            run.write_json(run.environment_file, describe_environment(plan.runtime))
            _train_to_the_end(trainer, run, plan, callbacks)
            classifier, assessment, not_written = _finish(run, plan, callbacks)
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
        validation_accuracy=trainer.validation_accuracy(),
        test=assessment.evaluation if "test" in plan.splits else None,
        verdict=assessment.verdict,
        not_written=not_written,
        device=str(plan.runtime.device),
        precision=plan.runtime.precision,
        weights_sha256=weights_sha256(plan.classifier.network.state_dict()),
        start=plan.start,
        temperature=classifier.spec.temperature,
        calibrated_on=plan.calibrated_on,
        outside=classifier.spec.outside,
    )


def resumed_session(session: Session, run: RunFolder | None) -> Session:
    """Return the session with the threads that a run began with, unless it has its own."""
    if run is None or session.threads is not None:
        return session
    return replace(session, threads=run.read_machine().get("threads"))


def plan_training(request: TrainingRequest, session: Session) -> tuple[Plan, Trainer]:
    """Return the plan of a training run and its trainer; writes nothing.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.
    """
    plan = make_plan(request, session)
    trainer = Trainer(
        plan.classifier, plan.train, plan.validation, plan.recipe, plan.runtime, plan.teacher
    )
    return plan, trainer


def _start(run: RunFolder, plan: Plan, start: Start, trainer: Trainer, session: Session) -> None:
    """Computes the output layer that the recipe asks for, and saves the initial weights."""
    fit = fit_output_layer(
        start.classifier,
        plan.train,
        plan.recipe,
        plan.runtime,
        class_weights=fit_weights(plan.train, plan.recipe.training),
        progress=session.callbacks.progress_of("computing features"),
    )
    if fit is not None:
        session.callbacks.note(fit.to_text())
        if plan.calibrated_on == "cross-validation":
            labels = plan.train.labels.cpu()
            HeldOutAnswers("cross-validation", fit.held_out_logits, labels).save(
                run.calibration_file
            )
    trainer.set_output_layer(output_layer(start.classifier.network).state_dict())
    save_start(run, start)


def _begin(plan: Plan, out: Path | None) -> RunFolder:
    """Creates the run folder, and records recipe, data and image files in it."""
    source = plan.start.reference if plan.start else None
    environment = describe_environment(plan.runtime)
    corrections = kept_text(plan.data_set) if plan.recipe.data.corrections else None
    run = create_run(out, plan.recipe, plan.data, environment, source, corrections)
    if plan.data_set.files:
        _record_images(run, plan.data_set)
    return run


def _record_images(run: RunFolder, data_set: DataSet) -> None:
    """Writes class, split and group of each image file, as a table that can be trained on."""
    names = data_set.class_names
    rows: list[tuple[str, ...]] = []
    for split, paths in data_set.files.items():
        labels = data_set.split(split).labels.tolist()
        groups = data_set.groups.get(split)
        for place, (path, label) in enumerate(zip(paths, labels, strict=True)):
            row = (str(Path(path).absolute()), names[label], split)
            rows.append((*row, groups[place]) if groups else row)
    write_whole(run.images_file, table_text(rows))


def _restore(trainer: Trainer, run: RunFolder, plan: Plan, callbacks: Callbacks) -> None:
    """Restores the trainer from the run's training state; without one it starts at epoch 1."""
    _remove_partial_files(run)
    if not run.state_file.exists():
        return
    tensors, header = load_tensors(run.state_file)
    try:
        saved = recipe_from_mapping(header["recipe"], origin=str(run.state_file))
        fingerprint, began = header["fingerprint"], header["machine"]
    except (KeyError, TypeError):
        raise RunError(f"{run.state_file} is not a training state; train a new run") from None
    require_same_recipe(run.path, "of its training state", saved, plan.recipe)
    if fingerprint != plan.data.fingerprint:
        raise RunError(f"the training state of {run.path} belongs to other data; train a new run")
    machine = _machine(plan)
    changed = [f"{name} {began.get(name)} -> {now}" for name, now in machine.items()
               if began.get(name) != now]  # fmt: skip
    if changed:
        callbacks.warn(
            f"the run began on another machine ({'; '.join(changed)}): sums are added in another "
            "order, so its weights will differ in the last digits"
        )
    trainer.restore(tensors, header)
    if trainer.history:
        # A run killed after its last state was saved, but before its last row, has no epoch left
        # that would write the row.
        run.write_metrics([asdict(row) for row in trainer.history])
    callbacks.note(f"continues after epoch {len(trainer.history)} of {plan.recipe.training.epochs}")


def _machine(plan: Plan) -> dict[str, int | str]:
    """The settings that change the order of sums, and so the last digits of the weights."""
    return {
        "threads": torch.get_num_threads(),
        "precision": plan.runtime.precision,
        "device": plan.runtime.device.type,
    }


def _remove_partial_files(run: RunFolder) -> None:
    """Removes temporary files of a process that was killed while it was writing."""
    for partial in run.path.glob(".*.part"):
        with contextlib.suppress(OSError):
            partial.unlink()


@contextlib.contextmanager
def _resumable(run: RunFolder) -> Iterator[None]:
    """Adds to an interrupt how to resume; as a note, so that a notebook shows it too."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"resume with `tellapart train --resume {shlex.quote(str(run.path))}`")
        raise


def _train_to_the_end(trainer: Trainer, run: RunFolder, plan: Plan, callbacks: Callbacks) -> None:
    """Trains the remaining epochs, and saves the training state after each."""

    def on_step(done: int, total: int, mean_loss: float) -> None:
        callbacks.on_step(len(trainer.history) + 1, done, total, mean_loss)

    for report in trainer.epochs(on_step):
        tensors, header = trainer.state()
        header |= {
            "recipe": plan.recipe.to_mapping(),
            "fingerprint": plan.data.fingerprint,
            "machine": _machine(plan),
        }
        # State first: rows of metrics.csv are in it, so a kill between the two loses nothing.
        with uninterrupted():
            save_tensors(run.state_file, tensors, header)
            run.write_metrics([asdict(row) for row in trainer.history])
        callbacks.on_epoch_end(report, plan.recipe.training.epochs)
    if trainer.keeps_start:
        callbacks.note(
            "no epoch was better on validation than the computed output layer, which is kept"
        )


def _finish(
    run: RunFolder, plan: Plan, callbacks: Callbacks
) -> tuple[Classifier, Assessment, str | None]:
    """Calibrates the classifier, evaluates and saves it, and writes the evaluation, in this order.

    The test split is read here, for the first and only time. Without one nothing is written: the
    figures of validation or training images only show whether the classifier is of any use.

    Returns:
        The classifier, the assessment, and the error that kept report and figures from being
        written, or None.
    """
    splits, device = plan.splits, plan.runtime.device
    classifier = _finished_before(run, plan) or _calibrated(run, plan)
    classifier = with_outside_rule(classifier, plan, callbacks)
    if "test" in splits:
        assessment = assess(classifier, splits["test"], device)
        _save(run, plan, classifier, assessment.evaluation)
        views = (num_views(classifier.views),)
        title = evaluation_title(plan.data.name, "test", views)
        about = about_runs(title, [run], plan.runtime, views_in_words(views))
        return classifier, assessment, write_or_explain(run.path, assessment, about)[1]
    assessment = assess(classifier, splits.get("validation", plan.train), device)
    _save(run, plan, classifier, None)
    return classifier, assessment, None


def _finished_before(run: RunFolder, plan: Plan) -> Classifier | None:
    """The classifier with the threshold that a person chose for this run, which belongs to the
    probabilities of its temperature; None for a run without one."""
    if not run.classifier_file.exists():
        return None
    try:
        spec = read_spec(run.classifier_file)
    except ClassifierFileError:
        return None  # a damaged file, which is written anew
    if not spec.thresholds:
        return None
    return plan.classifier.with_temperature(spec.temperature).with_thresholds(spec.thresholds)


def _calibrated(run: RunFolder, plan: Plan) -> Classifier:
    """The classifier with a temperature, fitted to images that it was not trained on, if any."""
    answers = _held_out_answers(run, plan)
    if answers is None:
        return plan.classifier
    return plan.classifier.with_temperature(fit_temperature(answers.logits, answers.labels))


def _held_out_answers(run: RunFolder, plan: Plan) -> HeldOutAnswers | None:
    """The logits of the images to calibrate on, which are written into the run."""
    origin = plan.calibrated_on
    if origin is None:
        return None
    if origin == "cross-validation":  # written when the output layer was fitted
        return HeldOutAnswers.read(run.calibration_file)
    images = plan.splits[origin]
    logits = predict_logits(plan.classifier, images.images, device=plan.runtime.device)
    answers = HeldOutAnswers(origin, logits, images.labels.cpu())
    answers.save(run.calibration_file)
    return answers


def _save(run: RunFolder, plan: Plan, classifier: Classifier, test: Evaluation | None) -> None:
    training = {
        "recipe": plan.recipe.to_mapping(),
        "data": plan.data.name,
        "fingerprint": plan.data.fingerprint,
        "data_licence": plan.data_set.licence,
        **({"finetuned_from": asdict(plan.start.reference)} if plan.start else {}),
        "test": figures_for_header(test) if test else {},
        "environment": describe_environment(plan.runtime),
    }
    with uninterrupted():
        save_classifier(run.classifier_file, classifier, training)
