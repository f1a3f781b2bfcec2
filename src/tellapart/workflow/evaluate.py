"""``evaluate``: measure classifiers on a split, as figures and as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import match_classes
from tellapart.errors import DataError
from tellapart.evaluation import Evaluation
from tellapart.evaluation.assessment import Assessment, assess
from tellapart.evaluation.threshold import ChosenThreshold
from tellapart.models.classifier import Classifier
from tellapart.models.ensemble import Ensemble, Reordered
from tellapart.models.views import num_views, views_in_words, views_with_tta
from tellapart.runs.data import load_foreign
from tellapart.runs.drawings import correct_drawings
from tellapart.runs.ensembling import (
    open_runs,
    require_one_validation_split,
    warn_of_seen_images,
)
from tellapart.runs.evaluations import (
    evaluation_name,
    evaluation_title,
    require_place_for_evaluation,
)
from tellapart.runs.folder import source_of
from tellapart.runs.session import Session
from tellapart.runs.trained_run import TrainedRun
from tellapart.workflow.evaluation_page import about_runs, write_or_explain
from tellapart.workflow.recall import (
    Recall,
    change_threshold,
    require_own_test_split,
    store_threshold,
    warn_of_other_views,
)

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class EvaluationResult:
    """The result of `evaluate`.

    Args:
        runs: the runs that were evaluated; several are an ensemble.
        data: the name of the data set.
        split: the name of the split.
        views: for each run, the number of views of an image that it averaged over; 1 is no
            test-time augmentation.
        evaluation: the figures.
        verdict: the reason why the classifier is of no use; None if it is of use.
        report: the HTML page, with ``evaluation.json`` beside it; None if none was written.
        not_written: the error that kept them from being written, or None.
        changes: the number of drawings that were changed to match the training images, by change.
        without_threshold: the figures if the most probable class were answered; None if it is.
        chosen_threshold: the threshold that was chosen now, for a recall; it is stored in the
            classifier file.
    """

    runs: tuple[Path, ...]
    data: str
    split: str
    views: tuple[int, ...]
    evaluation: Evaluation
    verdict: str | None
    report: Path | None
    not_written: str | None = None
    changes: Mapping[str, int] = field(default_factory=dict)
    without_threshold: Evaluation | None = None
    chosen_threshold: ChosenThreshold | None = None

    @property
    def run(self) -> Path:
        """The run; the first one of an ensemble."""
        return self.runs[0]

    @property
    def title(self) -> str:
        """A title such as ``mnist, test split, ensemble of 3 runs, nine views of each image``."""
        return evaluation_title(self.data, self.split, self.views)

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluate --json`` prints."""
        before, chosen = self.without_threshold, self.chosen_threshold
        return {
            "run": str(self.run),
            "runs": [str(run) for run in self.runs],
            "views": list(self.views),
            "data": self.data,
            "split": self.split,
            "report": str(self.report) if self.report else None,
            "verdict": self.verdict,
            "changes": dict(self.changes),
            **self.evaluation.to_json(),
            **({"without_threshold": before.to_json()} if before else {}),
            **({"chosen_threshold": chosen.to_json()} if chosen else {}),
        }


@dataclass(frozen=True)
class _EvaluatedImages:
    """The images that are evaluated on, and whether they are the (first) run's own."""

    data_set: DataSet
    image_set: ImageSet
    split: str
    is_own: bool
    source: str
    changes: Mapping[str, int] = field(default_factory=dict)


def evaluate(
    run: str | Path | Sequence[str | Path],
    data: str | Path | None = None,
    *,
    split: str = "test",
    as_is: bool = False,
    tta: bool | None = None,
    recall: Recall | None = None,
    out: str | Path | None = None,
    session: Session | None = None,
) -> EvaluationResult:
    """Evaluates a run's classifier, in fp32, on a split of its own data or of other data.

    Several runs are an ensemble: their class probabilities are averaged. The evaluation of one run
    on its own test split, with the views of its recipe, is written to ``evaluation.json`` and
    ``report.html`` in the run; any other to a folder in the (first) run's ``evaluations/``, named
    after data, split, views and ensemble.

    Args:
        run: a run folder or a classifier file, or several.
        data: a catalogue name, a folder, a table or an archive; None is the data of the (first)
            run. Data with the fingerprint of the run's own data counts as its own.
        split: ``test``, ``validation`` or ``train``.
        as_is: keep drawings of other data as they are; by default a drawing whose background, size
            or position differs from the training images is changed, as ``predict`` does.
        tta: test-time augmentation: True averages over nine views (and their mirror images if the
            recipe mirrors), False uses the image itself, None follows the recipe.
        recall: one class and a fraction, ``{"defective": 0.95}``: chooses on the run's validation
            split the highest threshold by which at least that fraction of the class is answered so,
            stores it in the run's classifier file, and evaluates the test split with it. ``none``
            removes it.
        out: another folder for report and figures; new, empty, or with an earlier evaluation.
        session: device, data folder and callbacks; None is the default `Session`.

    Returns:
        The figures, the path of the report, and what was evaluated.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> run = tellapart.train(settings=quick).run
    >>> tellapart.evaluate(run).evaluation.num_images
    1000
    """
    session = session or Session()
    runs = open_runs([run] if isinstance(run, str | Path) else run, session)
    if out is not None:
        require_place_for_evaluation(Path(out))
    chosen = None
    if recall is not None:
        require_own_test_split(data, split, tta, out)
        chosen = change_threshold(runs, recall, session)
    subject = _images_to_evaluate(runs, data, split, session, as_is=as_is)
    classifiers = [
        opened.classifier.with_views(views_with_tta(opened.classifier.views, tta))
        for opened in runs
    ]
    views = tuple(num_views(classifier.views) for classifier in classifiers)
    warn_of_other_views(runs[0].classifier, classifiers[0], session)
    runtime = session.runtime()
    with session.limited_threads():
        predictor = _predictor(classifiers).to(runtime.device)
        assessment = assess(predictor, subject.image_set, runtime.device)
    as_trained = classifiers[0].views == runs[0].classifier.views
    if recall is not None:
        store_threshold(runs[0], assessment.evaluation)
    folder = Path(out) if out else _folder(runs, subject, views, as_trained=as_trained)
    title = evaluation_title(subject.data_set.name, split, views)
    report, not_written = _write(folder, assessment, title, views, runs, session)
    return EvaluationResult(
        runs=tuple(opened.path for opened in runs),
        data=subject.data_set.name,
        split=split,
        views=views,
        evaluation=assessment.evaluation,
        verdict=assessment.verdict,
        report=report,
        not_written=not_written,
        changes=subject.changes,
        without_threshold=assessment.without_threshold,
        chosen_threshold=chosen,
    )


def _images_to_evaluate(
    runs: Sequence[TrainedRun],
    data: str | Path | None,
    split: str,
    session: Session,
    *,
    as_is: bool,
) -> _EvaluatedImages:
    """The images to evaluate on.

    Raises:
        RunError, DataError: data that is missing, has changed, or does not fit the classifier.
    """
    first = runs[0]
    if split not in _SPLITS:
        raise DataError(f"split must be train, validation or test, got {split!r}")
    if data is None or (not first.path.is_file() and first.was_trained_on(data)):
        found = first.splits.get(split)
        image_set = found if found is not None else first.data_set.split(split)
        warn_of_seen_images(runs, image_set, session.callbacks, own=True)
        if split == "validation":
            require_one_validation_split(runs, image_set)
        return _EvaluatedImages(first.data_set, image_set, split, True, first.data.source)
    spec = first.classifier.spec
    data_set = load_foreign(data, spec, split, session)
    for note in data_set.notes:
        session.callbacks.note(note)
    image_set = data_set.split(split)
    warn_of_seen_images(runs, image_set, session.callbacks, own=False)
    if image_set.image_shape != first.classifier.image_shape:
        raise DataError(
            f"{data_set.name} has images of (channels, height, width) {image_set.image_shape}; "
            f"the classifier takes {first.classifier.image_shape}"
        )
    corrected = correct_drawings(data_set, None if as_is else spec.style, [split], session)
    if corrected.changes:
        session.callbacks.note(corrected.to_text() + "; --as-is leaves them as they are")
    image_set = corrected.data_set.split(split)
    matched = match_classes(image_set, spec.class_names, data_set.name)
    return _EvaluatedImages(data_set, matched, split, False, source_of(data), corrected.changes)


def _predictor(classifiers: Sequence[Classifier]) -> nn.Module:
    """The classifier itself, or the mean of several in the first one's class order."""
    if len(classifiers) == 1:
        return classifiers[0]
    names = classifiers[0].class_names
    return Ensemble(
        [
            classifier
            if classifier.class_names == names
            else Reordered(classifier, [classifier.class_names.index(name) for name in names])
            for classifier in classifiers
        ]
    )


def _folder(
    runs: Sequence[TrainedRun], subject: _EvaluatedImages, views: Sequence[int], *, as_trained: bool
) -> Path | None:
    """The folder for report and figures; None for a classifier file alone."""
    first = runs[0]
    if first.path.is_file():
        return None
    if subject.is_own and subject.split == "test" and len(runs) == 1 and as_trained:
        return first.path
    name = evaluation_name(subject.data_set, subject.source, subject.split, views, runs)
    return first.path / "evaluations" / name


def _write(
    folder: Path | None,
    assessment: Assessment,
    title: str,
    views: Sequence[int],
    runs: Sequence[TrainedRun],
    session: Session,
) -> tuple[Path | None, str | None]:
    """Writes report and figures; an error is returned, because the figures are printed anyway."""
    if folder is None or any(opened.path.is_file() for opened in runs):
        session.callbacks.note("no page is written for a classifier file without its run")
        return None, None
    folders = [opened.folder for opened in runs]
    about = about_runs(title, folders, session.runtime(), views_in_words(views))
    return write_or_explain(folder, assessment, about)
