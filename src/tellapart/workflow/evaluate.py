"""``evaluate``: what classifiers are worth on a split, as figures and as a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import select_classes
from tellapart.errors import DataError, RunError
from tellapart.evaluation import (
    Evaluation,
    evaluate_logits,
    most_confident_mistakes,
    predict_logits,
    roc_curves,
)
from tellapart.files import make_folder, write_whole
from tellapart.models.classifier import Classifier
from tellapart.models.ensemble import Ensemble
from tellapart.models.views import num_views, views_in_words, views_with_tta
from tellapart.report.html import render_report
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.ensemble import (
    Member,
    open_members,
    require_one_validation_split,
    warn_of_seen_images,
)
from tellapart.runs.evaluation_folders import evaluation_name, require_place_for_evaluation
from tellapart.runs.folder import RunFolder, source_of
from tellapart.runs.splits import training_splits
from tellapart.runtime import (
    Runtime,
    choose_runtime,
    describe_environment,
    set_threads,
)
from tellapart.wording import listed
from tellapart.workflow.prepare import load_prepared, preparation_for, preparation_of

_NUM_MISTAKES_SHOWN = 24


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, of which runs on what, and where its page lies; the figures lie beside it.

    ``views`` says of each run how many views of a picture it answered by: 1, or more with test-time
    augmentation.
    """

    runs: tuple[Path, ...]
    data: str
    split: str
    views: tuple[int, ...]
    evaluation: Evaluation
    report: Path

    @property
    def run(self) -> Path:
        """The run, and of an ensemble the first one."""
        return self.runs[0]

    @property
    def title(self) -> str:
        """``mnist, test split, ensemble of 3 runs, nine views of each picture``."""
        return evaluation_title(self.data, self.split, self.views)

    def to_json(self) -> dict[str, Any]:
        """What ``evaluate --json`` prints."""
        return {
            "run": str(self.run),
            "runs": [str(run) for run in self.runs],
            "views": list(self.views),
            "data": self.data,
            "split": self.split,
            "report": str(self.report),
            **self.evaluation.to_json(),
        }


def evaluate(
    run: str | Path | Sequence[str | Path],
    data: str | Path | None = None,
    *,
    split: str = "test",
    tta: bool | None = None,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
) -> EvaluationResult:
    """Evaluates a run's classifier, in fp32, on a split of its own data or of other data.

    Several runs are an ensemble: their class probabilities are averaged. One run on its own test
    split, by the views of its own recipe, goes to ``evaluation.json`` and ``report.html`` in the
    run; anything else to a folder below the (first) run's ``evaluations/``, named after data,
    split, views and ensemble.

    Args:
        run: a run folder, or several.
        data: a catalogue name or a folder; None is the data of the (first) run.
        split: ``test``, ``validation`` or ``train``.
        tta: test-time augmentation: what `tellapart.models.views.views_with_tta`
            makes of the views of each run's recipe.
        out: a folder for page and figures instead; new, empty, or with an earlier evaluation.
        data_dir: where the catalogue's files are looked for first.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: how many the processor may use for one operation; None is torch's choice.
        callbacks: is told of downloads and doubts.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
    """
    callbacks = callbacks or Callbacks()
    set_threads(threads)
    members = open_members([run] if isinstance(run, str | Path) else run)
    if out is not None:
        require_place_for_evaluation(Path(out))
    first = members[0]
    recipes_views = first.classifier.views
    for member in members:
        member.classifier.views = views_with_tta(member.classifier.views, tta)
    views = tuple(num_views(member.classifier.views) for member in members)
    own = data is None or source_of(data) == first.data.source
    data_set = _load(first, None if own else data, split, data_dir, callbacks)
    image_set = _split(data_set, split, first.recipe if own else None)
    _require_same_kind(first.classifier, image_set, data_set.name)
    if own and split == "validation":
        require_one_validation_split(members, data_set, image_set)
    warn_of_seen_images(members, image_set, callbacks, own=own)
    if out is not None:
        folder = Path(out)
    elif own and split == "test" and len(members) == 1 and first.classifier.views == recipes_views:
        folder = first.path
    else:
        source = first.data.source if data is None else source_of(data)
        name = evaluation_name(data_set, source, split, views, members)
        folder = first.path / "evaluations" / name
    runtime = choose_runtime(device, "fp32")
    evaluation = evaluate_and_report(
        _predictor(members).to(runtime.device),
        image_set,
        run=first.folder,
        others=[member.folder for member in members[1:]],
        data=data_set.name,
        split=split,
        views=views,
        runtime=runtime,
        folder=folder,
    )
    runs = tuple(member.path for member in members)
    report = folder / first.folder.report_file.name
    return EvaluationResult(runs, data_set.name, split, views, evaluation, report)


def evaluate_and_report(
    classifier: nn.Module,
    image_set: ImageSet,
    *,
    run: RunFolder,
    data: str,
    split: str,
    views: Sequence[int],
    runtime: Runtime,
    folder: Path,
    others: Sequence[RunFolder] = (),
    before_writing: Callable[[Evaluation], None] | None = None,
) -> Evaluation:
    """Evaluates in fp32 and writes ``report.html``, then ``evaluation.json``, into ``folder``.

    ``evaluation.json`` is the last file of a run: whoever finds it finds the rest complete.
    ``others`` are the further runs of an ensemble, ``views`` of each run how many views of a
    picture it answers by, and ``data`` is what the pictures' data set is called; the page says so.
    """
    logits = predict_logits(classifier, image_set.images, device=runtime.device)
    evaluation = evaluate_logits(logits, image_set.labels, image_set.class_names)
    if before_writing:
        before_writing(evaluation)
    mistakes = most_confident_mistakes(logits, image_set.labels, _NUM_MISTAKES_SHOWN)
    title = evaluation_title(data, split, views)
    page = render_report(
        title=title,
        evaluation=evaluation,
        roc=roc_curves(logits, image_set.labels),
        mistakes=[(mistake, image_set.images[mistake.index]) for mistake in mistakes],
        # Of an ensemble no single history or recipe is the one that made it.
        history=() if others else run.read_metrics(),
        recipe={} if others else run.read_recipe().to_mapping(),
        environment={name: str(value) for name, value in describe_environment(runtime).items()},
        data={
            "evaluated on": title,
            "pictures": len(image_set),
            "views of each picture": views_in_words(views),
            **_training_data([run, *others]),
        },
    )
    make_folder(folder)
    write_whole(folder / run.report_file.name, page)
    run.write_json(folder / run.evaluation_file.name, evaluation.to_json())
    return evaluation


def _training_data(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """What the classifier was trained on; of an ensemble, what each run is, in a line."""
    if len(runs) == 1:
        data = runs[0].read_data_reference()
        return {"trained on": data.name, "fingerprint of the training data": data.fingerprint}
    table = {}
    for number, run in enumerate(runs, start=1):
        recipe, data = run.read_recipe(), run.read_data_reference()
        table[f"run {number}"] = (
            f"{run.path}: {recipe.model.network}, recipe {recipe.name}, "
            f"seed {recipe.training.seed}, trained on {data.name} ({data.fingerprint[:8]})"
        )
    return {"ensemble": table}


def _predictor(members: Sequence[Member]) -> nn.Module:
    """What answers: the classifier itself, or the mean over all runs."""
    answering = [member.classifier for member in members]
    return answering[0] if len(answering) == 1 else Ensemble(answering)


def evaluation_title(data: str, split: str, views: Sequence[int]) -> str:
    """What was evaluated how, in a line; ``views`` are of each run, as in `EvaluationResult`."""
    parts = [data, f"{split} split"]
    if len(views) > 1:
        parts.append(f"ensemble of {len(views)} runs")
    if max(views) > 1:
        parts.append(f"{views_in_words(views)} views of each picture")
    return ", ".join(parts)


def _load(
    first: Member,
    data: str | Path | None,
    split: str,
    data_dir: str | Path | None,
    callbacks: Callbacks,
) -> DataSet:
    """The data of the first run as its recipe takes it; or ``data``, as its classifier does."""
    known, recipe = first.data, first.recipe
    own = data is None
    data_set = load_prepared(
        known.source if data is None else data,
        preparation_of(recipe.data) if own else preparation_for(first.classifier, split),
        data_dir=data_dir or (known.data_dir if own else None),
        callbacks=callbacks,
    )
    if own and data_set.fingerprint != known.fingerprint:
        raise RunError(
            f"the data of run {first.path} has changed since it was trained "
            f"({known.source}); to evaluate on what is there now, give its path as DATA"
        )
    return select_classes(data_set, recipe.data.classes) if own else data_set


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
            f"{name} has other classes than the classifier: {listed(image_set.class_names)} "
            f"against {listed(classifier.class_names)}; fine-tune it to them first"
        )
    if image_set.image_shape != classifier.image_shape:
        raise DataError(
            f"{name} has pictures of (channels, height, width) {image_set.image_shape}; "
            f"the classifier takes {classifier.image_shape}"
        )
