"""``evaluate``: what a run's classifier is worth on a split, as figures and as a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.checkpoint import read_classifier
from tellapart.config import Recipe
from tellapart.data.duplicates import count_shared_pictures
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import select_classes
from tellapart.errors import DataError, RunError
from tellapart.evaluation import (
    Evaluation,
    evaluate_logits,
    predict_logits,
    roc_curves,
    surest_mistakes,
)
from tellapart.files import make_folder, write_whole
from tellapart.models.classifier import Classifier
from tellapart.report.html import render_report
from tellapart.run_folder import DataReference, RunFolder, open_run, source_of
from tellapart.runtime import (
    Runtime,
    choose_runtime,
    describe_environment,
    set_threads,
)
from tellapart.workflow.preparing import load_prepared, preparation_for, preparation_of
from tellapart.workflow.splits import training_splits
from tellapart.workflow.watcher import Watcher

_NUM_MISTAKES_SHOWN = 24


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, and where its page and its figures lie."""

    run: Path
    data: str
    split: str
    evaluation: Evaluation
    report: Path

    def to_json(self) -> dict[str, Any]:
        """What ``evaluate --json`` prints."""
        origin = {"run": str(self.run), "data": self.data, "split": self.split}
        return {**origin, "report": str(self.report), **self.evaluation.to_json()}


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    *,
    split: str = "test",
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    watcher: Watcher | None = None,
) -> EvaluationResult:
    """Evaluates a run's classifier, in fp32, on a split of its own data or of other data.

    The run's own test split goes to ``evaluation.json`` and ``report.html`` in the run; anything
    else to ``evaluations/DATA-SPLIT/`` below it.

    Args:
        run: a run folder.
        data: a catalogue name or a folder; None is the data of the run.
        split: ``test``, ``validation`` or ``train``.
        data_dir: where the catalogue's files are looked for first.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: how many the processor may use for one operation; None is torch's choice.
        watcher: is told of downloads and doubts.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
    """
    watcher = watcher or Watcher()
    set_threads(threads)
    folder = open_run(Path(run))
    if not folder.classifier_file.exists():
        raise RunError(
            f"run {folder.path} is not finished: it has no {folder.classifier_file.name}; "
            f"go on with `tellapart train --resume {folder.path}`"
        )
    classifier, _ = read_classifier(folder.classifier_file)
    known = folder.read_data_reference()
    is_own = data is None or source_of(data) == known.source
    place = data_dir or (known.data_dir if is_own else None)
    recipe = folder.read_recipe()
    data_set = load_prepared(
        known.source if data is None else data,
        preparation_of(recipe.data) if is_own else preparation_for(classifier, split),
        data_dir=place,
        watcher=watcher,
    )
    if is_own and data_set.fingerprint != known.fingerprint:
        raise RunError(
            f"the data of run {folder.path} has changed since it was trained "
            f"({known.source}); to evaluate on what is there now, give its path as DATA"
        )
    if is_own:
        data_set = select_classes(data_set, recipe.data.classes)
    image_set = _split(data_set, split, recipe if is_own else None)
    _require_same_kind(classifier, image_set, data_set.name)
    if not is_own:
        _warn_of_shared_pictures(known, recipe, image_set, watcher)
    is_main = is_own and split == "test"
    runtime = choose_runtime(device, "fp32")
    target = folder.path if is_main else folder.path / "evaluations" / f"{data_set.name}-{split}"
    evaluation = evaluate_and_report(
        classifier.to(runtime.device),
        image_set,
        run=folder,
        title=f"{data_set.name}, {split} split",
        runtime=runtime,
        folder=target,
    )
    return EvaluationResult(
        folder.path, data_set.name, split, evaluation, target / folder.report_file.name
    )


def evaluate_and_report(
    classifier: Classifier,
    image_set: ImageSet,
    *,
    run: RunFolder,
    title: str,
    runtime: Runtime,
    folder: Path,
    before_writing: Callable[[Evaluation], None] | None = None,
) -> Evaluation:
    """Evaluates in fp32 and writes ``report.html``, then ``evaluation.json``, into ``folder``.

    ``evaluation.json`` is the last file of a run: whoever finds it finds the rest complete.
    """
    logits = predict_logits(classifier, image_set.images, device=runtime.device)
    evaluation = evaluate_logits(logits, image_set.labels, image_set.class_names)
    if before_writing:
        before_writing(evaluation)
    mistakes = surest_mistakes(logits, image_set.labels, _NUM_MISTAKES_SHOWN)
    reference = run.read_data_reference()
    page = render_report(
        title=title,
        evaluation=evaluation,
        roc=roc_curves(logits, image_set.labels),
        mistakes=[(mistake, image_set.images[mistake.index]) for mistake in mistakes],
        history=run.read_metrics(),
        recipe=run.read_recipe().to_mapping(),
        environment={name: str(value) for name, value in describe_environment(runtime).items()},
        data={
            "evaluated on": title,
            "pictures": len(image_set),
            "trained on": reference.name,
            "fingerprint of the training data": reference.fingerprint,
        },
    )
    make_folder(folder)
    write_whole(folder / run.report_file.name, page)
    run.write_json(folder / run.evaluation_file.name, evaluation.to_json())
    return evaluation


def _split(data_set: DataSet, split: str, recipe: Recipe | None) -> ImageSet:
    """The split asked for; of a run's own data, validation and train as its recipe cuts them."""
    if split not in ("train", "validation", "test"):
        raise DataError(f"split must be train, validation or test, got {split!r}")
    if recipe is None or split == "test":
        return data_set.split(split)
    training, validation = training_splits(data_set, recipe)
    if split == "train":
        return training
    return validation or data_set.split(split)


def _require_same_kind(classifier: Classifier, image_set: ImageSet, name: str) -> None:
    if image_set.class_names != classifier.class_names:
        raise DataError(
            f"{name} has other classes than the classifier: {_listed(image_set.class_names)} "
            f"against {_listed(classifier.class_names)}; fine-tune it to them first"
        )
    if image_set.picture_shape != classifier.picture_shape:
        raise DataError(
            f"{name} has pictures of (channels, height, width) {image_set.picture_shape}; "
            f"the classifier takes {classifier.picture_shape}"
        )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f", ... ({len(names)})" if len(names) > 5 else "")


def _warn_of_shared_pictures(
    known: DataReference, recipe: Recipe, image_set: ImageSet, watcher: Watcher
) -> None:
    """Says how many of the pictures the classifier has been trained on."""
    try:
        own = load_prepared(
            known.source,
            preparation_of(recipe.data),
            data_dir=known.data_dir,
            allow_download=False,
        )
        trained_on, _ = training_splits(select_classes(own, recipe.data.classes), recipe)
    except DataError:
        watcher.warn(
            f"the run's own data ({known.name}) is not to be found, so nobody can say whether "
            "some of these pictures were trained on"
        )
        return
    shared = count_shared_pictures(image_set, trained_on)
    if shared:
        watcher.warn(
            f"{shared:,} of these {len(image_set):,} pictures are in the train split of "
            f"{known.name}: the classifier has seen them, and the accuracy says little"
        )
