"""``evaluate``: measure classifiers on a split, as figures and as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from tellapart.evaluation import Evaluation
from tellapart.evaluation.assessment import Assessment, assess_logits
from tellapart.evaluation.threshold import ChosenThreshold
from tellapart.models.views import views_in_words
from tellapart.runs.ensembling import open_runs
from tellapart.runs.evaluations import (
    evaluation_name,
    evaluation_title,
    require_place_for_evaluation,
)
from tellapart.runs.session import Session
from tellapart.workflow.evaluated_images import images_to_evaluate
from tellapart.workflow.evaluation_page import about_runs, write_or_explain
from tellapart.workflow.examinations.examination import Examination, write_examinations
from tellapart.workflow.examinations.examined import Examined
from tellapart.workflow.examinations.requested import (
    Requested,
    examine,
    file_names,
    require_known,
)
from tellapart.workflow.recall import (
    Recall,
    change_threshold,
    require_own_test_split,
    store_threshold,
    warn_of_other_views,
)


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
        examinations: the outcomes of further examinations, in the order in which they were made.
        pages: the page of each examination by its name, with a JSON file beside it.
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
    examinations: tuple[Examination, ...] = ()
    pages: Mapping[str, Path] = field(default_factory=dict)

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
            **{made.name: self._with_page(made) for made in self.examinations},
        }

    def _with_page(self, examination: Examination) -> dict[str, Any]:
        page = self.pages.get(examination.name)
        return {**examination.figures.to_json(), "page": str(page) if page else None}


def evaluate(
    run: str | Path | Sequence[str | Path],
    data: str | Path | None = None,
    *,
    split: str = "test",
    as_is: bool = False,
    tta: bool | None = None,
    recall: Recall | None = None,
    corrections: str | Path | None = None,
    out: str | Path | None = None,
    session: Session | None = None,
    **requested: Unpack[Requested],
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
        corrections: a file of corrected labels, as ``check(data, labels=True)`` writes it, in place
            of those that the run was trained with; the result goes to ``evaluations/``.
        out: another folder for report and figures; new, empty, or with an earlier evaluation.
        session: device, data folder and callbacks; None is the default `Session`.
        requested: further examinations of the same images, such as ``against="runs/other"``; see
            :class:`~tellapart.workflow.examinations.requested.Requested`.

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
    require_known(requested)
    session = session or Session()
    runs = open_runs([run] if isinstance(run, str | Path) else run, session)
    if out is not None:
        require_place_for_evaluation(Path(out), file_names())
    chosen = None
    if recall is not None:
        require_own_test_split(data, split, tta, out, corrections)
        chosen = change_threshold(runs, recall, session)
    evaluated = images_to_evaluate(runs, data, split, session, as_is=as_is, corrections=corrections)
    examined = Examined(runs, evaluated, session, data, tta, as_is)
    warn_of_other_views(runs[0].classifier, examined.classifiers[0], session)
    with session.limited_threads():
        # Before anything is written: an examination may refuse what was asked.
        examinations = examine(examined, requested)
        assessment = assess_logits(
            examined.logits, examined.image_set, examined.thresholds, examined.temperature
        )
    if recall is not None:
        store_threshold(runs[0], assessment.evaluation)
    report, pages, not_written = _write(
        Path(out) if out else None, examined, assessment, examinations
    )
    return EvaluationResult(
        runs=tuple(opened.path for opened in runs),
        data=evaluated.data_set.name,
        split=split,
        views=examined.views,
        evaluation=assessment.evaluation,
        verdict=assessment.verdict,
        report=report,
        not_written=not_written,
        changes=evaluated.changes,
        without_threshold=assessment.without_threshold,
        chosen_threshold=chosen,
        examinations=examinations,
        pages=pages,
    )


def _folder(examined: Examined) -> Path | None:
    """The folder for report and figures; None for a classifier file alone."""
    runs, evaluated = examined.runs, examined.evaluated
    first = runs[0]
    if first.path.is_file():
        return None
    as_trained = examined.classifiers[0].views == first.classifier.views
    as_trained = as_trained and not evaluated.relabelled
    if evaluated.is_own and evaluated.split == "test" and len(runs) == 1 and as_trained:
        return first.path
    name = evaluation_name(
        evaluated.data_set, evaluated.source, evaluated.split, examined.views, runs
    )
    return first.path / "evaluations" / name


def _write(
    out: Path | None,
    examined: Examined,
    assessment: Assessment,
    examinations: Sequence[Examination],
) -> tuple[Path | None, Mapping[str, Path], str | None]:
    """Writes report, figures and pages; an error is returned, because the figures are printed."""
    folder, session = out or _folder(examined), examined.session
    if folder is None or any(opened.path.is_file() for opened in examined.runs):
        session.callbacks.note("no page is written for a classifier file without its run")
        return None, {}, None
    folders = [opened.folder for opened in examined.runs]
    words = views_in_words(examined.views)
    about = about_runs(examined.title, folders, session.runtime(), words)
    report, not_written = write_or_explain(folder, assessment, about)
    if not_written:
        return report, {}, not_written
    pages, not_written = write_examinations(folder, examinations)
    return report, pages, not_written
