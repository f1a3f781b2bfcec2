"""``evaluate --recall``: choose a decision threshold on validation, and store or remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from tellapart.errors import ConfigError, RunError
from tellapart.evaluation import Evaluation, predict_logits
from tellapart.evaluation.threshold import ChosenThreshold, choose_threshold
from tellapart.files import uninterrupted
from tellapart.models.checkpoint import save_classifier
from tellapart.models.classifier import Classifier
from tellapart.runs.evaluations import figures_for_header
from tellapart.runs.session import Session
from tellapart.runs.trained_run import TrainedRun
from tellapart.wording import did_you_mean, listed, percent, plural, score

Recall = Mapping[str, float] | Literal["none"]
"""The wanted recall by class name, of one class; ``none`` removes the threshold."""

# Below this, one image of the class more or less moves its recall by more than 5 %.
_FEW_IMAGES = 20


def recall_from_texts(texts: Sequence[str]) -> Recall | None:
    """Return what was typed, ``CLASS=0.95`` or ``none``; None if nothing was.

    Raises:
        ConfigError: more than one, or another text.
    """
    if not texts:
        return None
    if len(texts) > 1:
        raise ConfigError(
            f"--recall takes one class, got {listed(texts)}; a classifier has one threshold at most"
        )
    if texts[0] == "none":
        return "none"
    # From the right: a class name may contain an equals sign, a number does not.
    name, equals, number = texts[0].rpartition("=")
    try:
        return {name: float(number)} if equals else _refuse(texts[0])
    except ValueError:
        return _refuse(texts[0])


def _refuse(text: str) -> Recall:
    raise ConfigError(f"--recall takes CLASS=FRACTION or none, got {text!r}; e.g. defective=0.95")


def change_threshold(
    runs: Sequence[TrainedRun], recall: Recall, session: Session
) -> ChosenThreshold | None:
    """Gives a run's classifier the threshold for a recall, or none; only in memory.

    Args:
        runs: the run, and nothing else.
        recall: the class and its wanted recall, or ``none``.
        session: device and callbacks.

    Returns:
        The threshold and what it reaches on validation; None if it was removed.

    Raises:
        ConfigError: several runs, several classes, an unknown class or another fraction than one
            between 0 and 1.
        RunError: a classifier file without its run, or a run without a validation split.
        DataError: a validation split without images of the class.
    """
    if len(runs) > 1:
        raise ConfigError(
            f"--recall chooses the threshold of one classifier, got {len(runs)} runs; give one run"
        )
    run = runs[0]
    folder = run.folder
    if recall == "none":
        before = run.classifier.spec.thresholds
        run.classifier = run.classifier.with_thresholds({})
        removed = f"the threshold of {listed(map(repr, before))} is removed"
        outcome = removed if before else f"{folder.path} has no threshold to remove"
        session.callbacks.note(f"{outcome}: the most probable class is answered")
        return None
    name, fraction = _checked(recall, run.classifier.class_names)
    chosen = _choose(run, name, fraction, session)
    run.classifier = run.classifier.with_thresholds({name: chosen.probability})
    return chosen


def require_own_test_split(
    data: object, split: str, tta: bool | None, out: object, corrections: object = None
) -> None:
    """Refuses to measure a new threshold on anything but the run's own test split.

    Raises:
        ConfigError: other data, another split, other labels, other views than the classifier's own,
            or another folder than the run, whose own evaluation would then not be that of its
            classifier.
    """
    if data is not None:
        given = f"data {data}"
        remedy = "leave it out, and then evaluate the run on other data"
    elif split != "test":
        given, remedy = f"--split {split}", "leave it out"
    elif tta is not None:
        given = "--tta" if tta else "--no-tta"
        remedy = "leave it out: the threshold belongs to the probabilities of the run's own views"
    elif corrections is not None:
        given, remedy = f"--corrections {corrections}", "leave it out: the run has its own labels"
    elif out is not None:
        given, remedy = f"--out {out}", "leave it out: the run's own report is written anew"
    else:
        return
    raise ConfigError(
        "--recall chooses a threshold on the run's validation split and measures it on its test "
        f"split, got {given}; {remedy}"
    )


def warn_of_other_views(trained: Classifier, used: Classifier, session: Session) -> None:
    """Warns where a threshold is used on the probabilities of other views than it was chosen on."""
    if trained.spec.thresholds and trained.views != used.views:
        name = listed(map(repr, trained.spec.thresholds))
        session.callbacks.warn(
            f"the threshold of {name} was chosen on the views {trained.views!r} and is used on "
            f"{used.views!r}; leave out --tta and --no-tta to use it as it was chosen"
        )


def store_threshold(run: TrainedRun, evaluation: Evaluation) -> None:
    """Rewrites the run's classifier file with its new threshold and figures, whole or not at all.

    Raises:
        RunError: a file that cannot be written; the old one is then kept.
    """
    training = {**run.training, "test": figures_for_header(evaluation)}
    with uninterrupted():
        save_classifier(run.folder.classifier_file, run.classifier, training)


def _checked(recall: Mapping[str, float], class_names: Sequence[str]) -> tuple[str, float]:
    if len(recall) != 1:
        raise ConfigError(
            f"recall must be of one class, got {len(recall)}; a classifier has one threshold at "
            "most"
        )
    [(name, fraction)] = recall.items()
    if name not in class_names:
        known = f"known: {listed(class_names)}"
        raise ConfigError(
            f"--recall: no class is called {name!r}{did_you_mean(name, class_names, known)}"
        )
    if not 0 < fraction < 1:
        raise ConfigError(
            f"--recall must be a fraction between 0 and 1, got {name}={fraction:g}; 0.95 finds at "
            "least 95 % of the class"
        )
    return name, fraction


def _choose(run: TrainedRun, name: str, fraction: float, session: Session) -> ChosenThreshold:
    validation = run.splits.get("validation")
    if validation is None:
        raise RunError(
            f"run {run.path} has no validation split, on which the threshold is chosen; train it "
            "with --set data.validation_fraction=0.15"
        )
    device = session.runtime().device
    with session.limited_threads():
        logits = predict_logits(run.classifier.to(device), validation.images, device=device)
    names = run.classifier.class_names
    chosen = choose_threshold(logits, validation.labels, names, name, fraction)
    if chosen.num_images < _FEW_IMAGES:
        low, high = chosen.recall_interval
        session.callbacks.warn(
            f"only {plural(chosen.num_images, 'validation image')} of {name!r}: the threshold of "
            f"{score(chosen.probability)} is uncertain (recall {percent(chosen.recall, 1)} there, "
            f"95 % interval {percent(low, 1)} to {percent(high, 1)}); a larger "
            "data.validation_fraction helps"
        )
    return chosen
