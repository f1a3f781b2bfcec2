"""``evaluate --coverage 0.99``: sets of classes that hold the true class so often."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.errors import ConfigError
from tellapart.runs.trained_run import TrainedRun
from tellapart.trust.certainty.conformal import SetMethod, calibrate_sets, require_coverage
from tellapart.trust.certainty.set_coverage import ClassCoverage, SetCoverage, measure_sets
from tellapart.trust.certainty.sets_page import percent_of, render_sets, wanted_percent
from tellapart.wording import number, percent
from tellapart.workflow.examinations.examination import Examination, TextTable
from tellapart.workflow.examinations.examined import Examined

_MOST_CLASSES_LISTED = 20


def examine_coverage(
    examined: Examined, coverage: float, *, sets: SetMethod = "lac", per_class: bool = False
) -> Examination:
    """Give each image a set of classes, calibrated on images that the run was not trained on.

    Args:
        examined: one classifier and its images.
        coverage: the fraction of the sets that are to hold the true class, between 0 and 1.
        sets: how classes are scored: ``lac``, ``aps`` or ``raps``.
        per_class: calibrate each class by itself.

    Raises:
        ConfigError: several runs, other views or another split than the classifier is used with.
        RunError, DataError: a run without images to calibrate on, or with too few.
    """
    require_coverage(coverage)
    run = _only_run(examined)
    answers = run.held_out_answers
    classifier, names = run.classifier, examined.class_names
    temperature = classifier.spec.temperature
    rule = calibrate_sets(
        answers.logits,
        answers.labels,
        names,
        coverage,
        sets,
        per_class=per_class,
        temperature=temperature,
    )
    logits = examined.logits.double() * (temperature or 1.0)
    labels = examined.image_set.labels.cpu()
    result = measure_sets(rule, logits, labels, names, answers.origin)
    page = render_sets(
        result,
        title=examined.title,
        images=examined.image_set.images,
        labels=labels,
        members=rule.members(logits),
        probabilities=examined.logits.softmax(1),
        class_names=names,
        origin=examined.described(),
    )
    return Examination("coverage", result, _table(result), page)


def _only_run(examined: Examined) -> TrainedRun:
    """The run, if sets can be calibrated for it as it is examined."""
    if len(examined.runs) > 1:
        raise ConfigError(
            f"--coverage calibrates the sets of one classifier, got {len(examined.runs)} runs; "
            "give one run"
        )
    run = examined.runs[0]
    if examined.classifiers[0].views != run.classifier.views:
        raise ConfigError(
            f"--coverage is calibrated with the run's own views, {run.classifier.views!r}, got "
            f"{examined.classifiers[0].views!r}; leave out --tta and --no-tta"
        )
    if examined.evaluated.is_own and examined.evaluated.split != "test":
        raise ConfigError(
            f"--coverage is measured on images that nothing was fitted to, got split "
            f"{examined.evaluated.split!r}; leave out --split"
        )
    return run


def _table(result: SetCoverage) -> TextTable:
    rows = [
        (
            entry.name,
            number(entry.num_images),
            "-" if entry.coverage is None else percent(entry.coverage),
            "-" if entry.mean_size is None else f"{entry.mean_size:.2f}",
        )
        for entry in _listed(result.per_class)
    ]
    each = ", for each class" if result.for_each_class else ""
    return TextTable(
        f"sets for {wanted_percent(result)} coverage ({result.sets.upper()}{each}), calibrated on "
        f"{number(result.num_calibration)} images ({result.calibrated_on})",
        ("class", "images", "hold it", "mean size"),
        rows,
        _lines(result),
    )


def _listed(entries: Sequence[ClassCoverage]) -> Sequence[ClassCoverage]:
    """All classes, or of many those with the lowest coverage."""
    if len(entries) <= _MOST_CLASSES_LISTED:
        return entries
    measured = [entry for entry in entries if entry.coverage is not None]
    return sorted(measured, key=lambda entry: entry.coverage or 0.0)[:_MOST_CLASSES_LISTED]


def _lines(result: SetCoverage) -> Sequence[tuple[str, str]]:
    low, high = result.coverage_interval
    promised_low, promised_high = result.promised_band
    sizes = ", ".join(
        f"{number(count)} of {size}" for size, count in enumerate(result.sizes, 1) if count
    )
    return (
        (
            "coverage",
            f"{percent_of(result.coverage, result)} of the sets hold the true class (95 % "
            f"interval {percent(low)} to {percent(high)})",
        ),
        (
            "promised",
            f"{percent(promised_low)} to {percent(promised_high)} on as many images: "
            f"{result.verdict}",
        ),
        ("size", f"{result.mean_size:.3f} classes on average: {sizes}"),
        ("meaning", result.promise),
    )
