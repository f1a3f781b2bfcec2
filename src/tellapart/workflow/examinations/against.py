"""``evaluate --against OTHER_RUN``: the same images, answered by another run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tellapart.errors import RunError
from tellapart.evaluation.metrics import wilson_interval
from tellapart.runs.trained_run import TrainedRun, open_run
from tellapart.trust.comparison.paired import PairedComparison, compare_answers
from tellapart.trust.comparison.paired_page import points, render_comparison, verdict_in_words
from tellapart.wording import listed, number, percent
from tellapart.workflow.evaluated_images import images_to_evaluate
from tellapart.workflow.examinations.examination import Examination, TextTable
from tellapart.workflow.examinations.examined import Examined
from tellapart.workflow.examinations.matching import matching_rows


@dataclass(frozen=True)
class ComparedRun:
    """A comparison with another run.

    Args:
        run: the other run.
        comparison: of the examined classifier, the first, with the other run's, the second.
    """

    run: Path
    comparison: PairedComparison

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers."""
        return {"run": str(self.run), **self.comparison.to_json()}


def examine_against(examined: Examined, other: str | Path) -> Examination:
    """Compare the examined classifier with another run's on the same images.

    The other run reads the images in its own preparation: its image size may be another.

    Args:
        examined: the classifier, or ensemble, and its images.
        other: a run folder or a classifier file.

    Raises:
        RunError: a run with other classes, another split, or images that cannot be matched.
    """
    run = open_run(other, session=examined.session)
    _require_other(examined, run)
    _require_same_classes(examined, run)
    data = examined.data or examined.evaluated.source
    split, session = examined.evaluated.split, examined.session
    evaluated = images_to_evaluate([run], data, split, session, as_is=examined.as_is, named=True)
    rows = matching_rows(examined.evaluated, evaluated, f"run {run.path}")
    theirs = Examined([run], evaluated, session, tta=examined.tta, as_is=examined.as_is)
    order = [run.classifier.class_names.index(name) for name in examined.class_names]
    places = torch.tensor(order).argsort()  # of their classes among ours
    comparison = compare_answers(
        examined.image_set.labels,
        (examined.answers, places[theirs.answers[rows]]),
        (examined.logits, theirs.logits[rows][:, order]),
    )
    names = _short_names(examined, run)
    page = render_comparison(
        comparison,
        title=examined.title,
        names=names,
        images=examined.image_set.images,
        class_names=examined.class_names,
        origin={**examined.described(), "against": str(run.path)},
    )
    table = _table(comparison, names)
    return Examination("against", ComparedRun(run.path, comparison), table, page)


def _require_other(examined: Examined, run: TrainedRun) -> None:
    own = [opened.path.resolve() for opened in examined.runs]
    if len(own) == 1 and run.path.resolve() in own:
        raise RunError(f"--against {run.path} is the run that is evaluated; give another run")


def _require_same_classes(examined: Examined, run: TrainedRun) -> None:
    ours, theirs = set(examined.class_names), set(run.classifier.class_names)
    if ours != theirs:
        only = sorted(ours ^ theirs)
        raise RunError(
            f"--against {run.path} has other classes: only one of the two has "
            f"{listed(map(repr, only))}; compare runs that were trained on the same classes"
        )


def _short_names(examined: Examined, run: TrainedRun) -> tuple[str, str]:
    """Names for both, in a few words: the ends of their paths, as far as they differ."""
    if len(examined.runs) > 1:
        return f"ensemble of {len(examined.runs)}", run.path.name
    path = examined.runs[0].path
    if path.name == run.path.name:
        return str(path), str(run.path)
    return path.name, run.path.name


def _table(comparison: PairedComparison, names: tuple[str, str]) -> TextTable:
    total = comparison.num_images
    rows = []
    alone = (len(comparison.only_first), len(comparison.only_second))
    for name, correct, only in zip(names, comparison.num_correct, alone, strict=True):
        low, high = wilson_interval(correct, total)
        interval = f"{percent(low)} to {percent(high)}"
        rows.append((name, percent(correct / total), interval, number(only)))
    low, high = comparison.difference_interval
    difference = f"{points(comparison.difference)} (95 % interval {points(low)} to {points(high)})"
    return TextTable(
        f"{names[0]} against {names[1]}, the same {number(total)} images",
        ("run", "accuracy", "95 % interval", "right where the other is wrong"),
        rows,
        (("change", difference), ("verdict", verdict_in_words(comparison, names))),
    )
