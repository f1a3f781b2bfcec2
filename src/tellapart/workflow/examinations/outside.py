"""``evaluate --outside DATA``: does the classifier know that these images are of another kind?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tellapart.errors import ConfigError, RunError
from tellapart.models.classifier import Classifier
from tellapart.runs.trained_run import TrainedRun
from tellapart.runtime import generator
from tellapart.trust.outside.comparison import (
    InsideLooking,
    OutsideComparison,
    OutsideSource,
    flagged,
    separations_of,
)
from tellapart.trust.outside.page import interval_in_words, render_outside
from tellapart.trust.outside.rule import (
    Observed,
    OutsideScorer,
    all_scores,
    fit_scorer,
    observe,
    scorer_of,
)
from tellapart.wording import listed, number, percent, plural
from tellapart.workflow.examinations.examination import Examination, TextTable
from tellapart.workflow.examinations.examined import Examined
from tellapart.workflow.outside_images import OutsideImages, load_outside_images

_NUM_SHOWN = 24
# Images of train from which the scores beside the default are fitted.
_MOST_TRAINING = 5_000

_Scores = Mapping[str, Callable[[Observed], Tensor]]


def examine_outside(examined: Examined, outside: str | Path | Sequence[str | Path]) -> Examination:
    """Compare the images that are evaluated with images of another kind, by every score.

    Args:
        examined: one run and its images.
        outside: a data set, files, a folder or a pattern; or several.

    Raises:
        ConfigError: several runs, or nothing to compare with.
        RunError: a classifier file without its run, whose training images are needed.
        DataError: outside images that cannot be read, or are arrays of another shape.
    """
    sources = [outside] if isinstance(outside, str | Path) else list(outside)
    run, classifier = _only_run(examined, sources), examined.classifiers[0].to(examined.device)
    loaded = [
        load_outside_images(data, classifier.spec, examined.session, as_is=examined.as_is)
        for data in sources
    ]
    scores, default = _scores(run, classifier, examined)
    inside = _score(scores, observe(classifier, examined.image_set.images, examined.device))
    rule = classifier.spec.outside
    threshold = rule.threshold if rule else None
    found, outside_scores = [], []
    for images in loaded:
        observed = observe(classifier, images.images, examined.device)
        outside_scores.append(_score(scores, observed))
        found.append(_source(images, observed, inside, outside_scores[-1], classifier, threshold))
    comparison = OutsideComparison(
        score=default,
        threshold=threshold,
        inside=f"{examined.evaluated.data_set.name}, {examined.evaluated.split} split",
        num_inside=len(examined.image_set),
        inside_flagged=flagged(inside[default], threshold),
        separations=separations_of(inside, outside_scores),
        sources=tuple(found),
    )
    page = render_outside(
        comparison,
        title=examined.title,
        inside_scores=inside[default],
        outside_scores=[kept[default] for kept in outside_scores],
        images=[
            images.images[torch.tensor([entry.index for entry in source.inside_looking])]
            for images, source in zip(loaded, found, strict=True)
        ],
        origin={**examined.described(), "outside": listed(map(str, sources), len(sources))},
    )
    return Examination("outside", comparison, _table(comparison), page)


def _only_run(examined: Examined, sources: Sequence[str | Path]) -> TrainedRun:
    if not sources:
        raise ConfigError("--outside needs images of another kind; give a data set or files")
    if len(examined.runs) > 1:
        raise ConfigError(
            f"--outside compares with the training images of one run, got {len(examined.runs)}; "
            "give one run"
        )
    run = examined.runs[0]
    if run.path.is_file():
        raise RunError(
            f"--outside fits its scores to training images, and {run.path} is a classifier file "
            "without its run; give the run's folder"
        )
    return run


def _scores(run: TrainedRun, classifier: Classifier, examined: Examined) -> tuple[_Scores, str]:
    """Every score, and the name of the default: the classifier's own, else as it would get it."""
    images = run.splits["train"].images
    made = generator(run.recipe.training.seed, "references")
    order = torch.randperm(len(images), generator=made)[:_MOST_TRAINING]
    training = observe(classifier, images[order], examined.device)
    default: OutsideScorer = scorer_of(classifier) or fit_scorer(training)
    return all_scores(classifier, default, training), default.name


def _score(scores: _Scores, observed: Observed) -> dict[str, Tensor]:
    return {name: score(observed) for name, score in scores.items()}


def _source(
    images: OutsideImages,
    observed: Observed,
    inside: Mapping[str, Tensor],
    scores: Mapping[str, Tensor],
    classifier: Classifier,
    threshold: float | None,
) -> OutsideSource:
    own = next(iter(scores.values()))
    probabilities = observed.answers.softmax(1)
    answers = classifier.decide(observed.answers)
    nearest = own.sort(stable=True).indices[:_NUM_SHOWN].tolist()
    return OutsideSource(
        name=images.name,
        num_images=len(images.images),
        separations=separations_of(inside, [scores]),
        flagged=flagged(own, threshold),
        inside_looking=tuple(
            InsideLooking(
                index,
                images.paths[index] if images.paths else None,
                float(own[index]),
                classifier.class_names[int(answers[index])],
                float(probabilities[index, answers[index]]),
            )
            for index in nearest
        ),
    )


def _table(comparison: OutsideComparison) -> TextTable:
    rows = [
        (
            f"{score} (default)" if place == 0 else score,
            source.name,
            percent(separation.auroc),
            interval_in_words(separation.auroc_interval),
            percent(separation.false_positive_rate),
            interval_in_words(separation.false_positive_rate_interval),
        )
        for source in comparison.sources
        for place, (score, separation) in enumerate(source.separations.items())
    ]
    return TextTable(
        f"{comparison.inside} ({plural(comparison.num_inside, 'image')}) against images of another "
        f"kind ({number(comparison.num_outside)})",
        ("score", "outside", "AUROC", "95 % interval", "FPR at 95 % recall", "95 % interval"),
        rows,
        _lines(comparison),
    )


def _lines(comparison: OutsideComparison) -> list[tuple[str, str]]:
    if comparison.inside_flagged is None:
        return [("flags", "none: too few images were held out when the classifier was trained")]
    parts = [
        f"{percent(source.flagged.fraction)} of {source.name}"
        for source in comparison.sources
        if source.flagged
    ]
    return [
        ("flags", f"predict flags {', '.join(parts)} as unlike the training images"),
        (
            "",
            f"and {percent(comparison.inside_flagged.fraction)} of {comparison.inside} "
            f"(95 % interval {interval_in_words(comparison.inside_flagged.interval)})",
        ),
    ]
