"""What ``predict`` is asked besides the class: sets of classes, and to leave images unanswered."""

from __future__ import annotations

from dataclasses import dataclass

from tellapart.errors import ConfigError, RunError
from tellapart.models.classifier import Classifier
from tellapart.runs.session import Session
from tellapart.runs.trained_run import TrainedRun
from tellapart.trust.certainty.abstention import (
    Abstention,
    measure_abstention,
    require_abstain_below,
)
from tellapart.trust.certainty.conformal import (
    PredictionSets,
    SetMethod,
    calibrate_sets,
    require_coverage,
)
from tellapart.trust.certainty.set_coverage import promise


@dataclass(frozen=True)
class AskedCertainty:
    """What is asked besides the class of each image; made by `asked_certainty`.

    Args:
        sets: the rule by which images get sets of classes; None where no coverage is asked for.
        promise: what is promised of the sets; None without sets.
        abstain_below: the probability from which on a class is answered; None answers always.
        abstention: what that gives on images that were not trained on; None where not known.
    """

    sets: PredictionSets | None
    promise: str | None
    abstain_below: float | None
    abstention: Abstention | None


def asked_certainty(
    run: TrainedRun,
    used: Classifier,
    session: Session,
    *,
    coverage: float | None,
    sets: SetMethod | None,
    per_class: bool,
    abstain_below: float | None,
) -> AskedCertainty:
    """Calibrate the sets, and count what abstaining gives, as far as they are asked for.

    Args:
        run: the trained run.
        used: its classifier with the views that are used.
        session: its callbacks are told of what is not known.
        coverage: the fraction of the sets that are to hold the true class; None makes no sets.
        sets: how classes are scored; None is ``lac``.
        per_class: whether each class is to have that coverage.
        abstain_below: the probability from which on a class is answered; None answers always.

    Raises:
        ConfigError: values outside their limits, or other views than the run's own.
        RunError, DataError: no images to calibrate sets on, or too few.
    """
    if coverage is None and (sets or per_class):
        detail = "--sets" if sets else "--per-class"
        raise ConfigError(f"{detail} is for --coverage; give --coverage too")
    rule = promised = abstention = None
    if coverage is not None:
        require_coverage(coverage)
        _require_own_views(run, used)
        answers = run.held_out_answers
        rule = calibrate_sets(
            answers.logits,
            answers.labels,
            used.class_names,
            coverage,
            sets or "lac",
            per_class=per_class,
            temperature=used.spec.temperature,
        )
        promised = promise(rule, answers.origin)
    if abstain_below is not None:
        require_abstain_below(abstain_below)
        abstention = _abstention(run, used, abstain_below, session)
    return AskedCertainty(rule, promised, abstain_below, abstention)


def _require_own_views(run: TrainedRun, used: Classifier) -> None:
    if used.views != run.classifier.views:
        raise ConfigError(
            f"--coverage is calibrated with the run's own views, {run.classifier.views!r}, got "
            f"{used.views!r}; leave out --tta and --no-tta"
        )


def _abstention(
    run: TrainedRun, used: Classifier, below: float, session: Session
) -> Abstention | None:
    """What leaving images unanswered gives; None, with the reason, where it is not known."""
    if used.views != run.classifier.views:
        session.callbacks.note(
            f"what --abstain-below {below:g} gives is not known for other views than the run's own"
        )
        return None
    try:
        answers = run.held_out_answers
    except RunError as error:
        session.callbacks.note(f"what --abstain-below {below:g} gives is not known: {error}")
        return None
    logits = answers.logits.double() / (used.spec.temperature or 1.0)
    return measure_abstention(logits, answers.labels, used.decide(logits), below, answers.origin)
