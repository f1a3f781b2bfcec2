"""Ensembles: whether runs can be averaged, and which images each of them was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from tellapart.data.image_set import ImageSet
from tellapart.data.quality.duplicates import count_equal_images
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import DataError, RunError
from tellapart.models.checkpoint import weights_sha256
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import is_run
from tellapart.runs.session import Session
from tellapart.runs.splits import run_splits
from tellapart.runs.trained_run import TrainedRun, open_run


def open_runs(runs: Sequence[str | Path], session: Session) -> list[TrainedRun]:
    """Opens runs, in the order given.

    Raises:
        RunError: no run given, a folder that is not a finished run, runs with different classes or
            different input forms, or several of which one has a decision threshold.
        ClassifierFileError, ConfigError: a run with a damaged file.
    """
    if not runs:
        raise RunError("no run is given; give the folder that `tellapart train` prints")
    opened = [open_run(run, session=session) for run in runs]
    for other in opened[1:]:
        _require_alike(opened[0], other)
    if len(opened) > 1:
        _require_no_threshold(opened)
    return opened


def _require_no_threshold(runs: Sequence[TrainedRun]) -> None:
    for run in runs:
        for name in run.classifier.spec.thresholds:
            raise RunError(
                f"run {run.path} answers {name!r} by a threshold, which was chosen for its own "
                "probabilities and not for the mean of several; evaluate it alone, or remove the "
                f"threshold with `tellapart evaluate {run.path} --recall none`"
            )


def _require_alike(first: TrainedRun, other: TrainedRun) -> None:
    ours, theirs = first.classifier.spec, other.classifier.spec
    missing = sorted(set(ours.class_names) ^ set(theirs.class_names))
    if missing:
        raise RunError(
            f"runs {first.path} and {other.path} do not have the same classes: only one of them "
            f"has {', '.join(map(repr, missing[:5]))}; "
            "average runs that were trained on the same classes"
        )
    if (ours.image_shape, ours.fit) != (theirs.image_shape, theirs.fit):
        raise RunError(
            f"runs {first.path} and {other.path} take images prepared differently: (channels, "
            f"height, width) {ours.image_shape}, fit {ours.fit}, against "
            f"{theirs.image_shape}, fit {theirs.fit}; evaluate each by itself"
        )


def require_one_validation_split(runs: Sequence[TrainedRun], validation: ImageSet) -> None:
    """Refuse to validate on images that one of the runs was trained on.

    Args:
        runs: the runs.
        validation: the validation split of the first one.

    Raises:
        RunError: a run with another validation split.
    """
    first = runs[0]
    for other in runs[1:]:
        theirs = None
        if first.shares_data_with(other):
            theirs = other.splits.get("validation")
        if theirs is None or not torch.equal(validation.images, theirs.images):
            raise RunError(
                f"runs {first.path} and {other.path} have different validation splits (another "
                "data.split_seed, fraction or data set), so one was trained on images on which "
                "the other validates; evaluate them on --split test"
            )


def warn_of_seen_images(
    runs: Sequence[TrainedRun],
    image_set: ImageSet,
    callbacks: Callbacks,
    *,
    own: bool,
    named: bool = False,
) -> None:
    """Warns of images that the runs were trained on, as far as their data can be found.

    Args:
        runs: all that are evaluated.
        image_set: the images that they are evaluated on.
        callbacks: receive the warnings.
        own: whether ``image_set`` is a split of the first run's own data; runs with the same data
            and splits are then not checked.
        named: name a run also where it is the only one.
    """
    checked = [run for run in runs if not (own and run.shares_data_with(runs[0]))]
    by_training: dict[tuple[object, ...], list[TrainedRun]] = {}
    for run in checked:
        by_training.setdefault(_training_data_key(run), []).append(run)
    for alike in by_training.values():
        who = _named(alike) if named or len(runs) > 1 else "the classifier"
        _warn_of_seen_images(alike[0], who, image_set, callbacks)


def _training_data_key(run: TrainedRun) -> tuple[object, ...]:
    """A key that is equal for runs with the same training images."""
    if run.path.is_file():
        return (run.path,)
    data = run.recipe.data
    return run.data, data, run.recipe.training.seed if data.shots else None


def _named(runs: Sequence[TrainedRun]) -> str:
    paths = list(dict.fromkeys(str(run.path) for run in runs))
    return f"run{'s' if len(paths) > 1 else ''} {', '.join(paths)}"


def _warn_of_seen_images(
    run: TrainedRun, who: str, image_set: ImageSet, callbacks: Callbacks
) -> None:
    try:
        own = run.load_data(allow_download=False)
        trained_on = run_splits(own, run.recipe)["train"]
    except (DataError, RunError):
        whose = "the run's own data" if who == "the classifier" else f"the data of {who}"
        # A classifier file does not know its data.
        name = "" if run.path.is_file() else f" ({run.data.name})"
        callbacks.warn(
            f"{whose}{name} is not found, so it is not known whether some of these "
            "images were trained on"
        )
        return
    shared = count_equal_images(image_set, trained_on)
    if shared:
        verb = "have" if who.startswith("runs ") else "has"
        callbacks.warn(
            f"{shared:,} of these {len(image_set):,} images are in the train split of "
            f"{run.data.name}: {who} {verb} seen them, so the accuracy is misleading"
        )


def ensemble_digest(runs: Iterable[TrainedRun]) -> str:
    """Return eight hexadecimal digits that identify these networks, independent of their order."""
    digests = (weights_sha256(run.classifier.network.state_dict()) for run in runs)
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:8]


def split_arguments(arguments: Sequence[str]) -> tuple[list[Path], str | None]:
    """Split ``RUN [RUN ...] [DATA]`` into the runs and the data, None if there is no data.

    The first argument is a run. Another one is a run if it is a run's folder or a classifier file
    and no name of the catalogue. If the last one is no run, it is the data.

    Raises:
        RunError: an argument before the last that is no run.
    """
    first, *others = arguments
    data = None
    if others and not _is_run_or_file(others[-1]):
        data = others.pop()
    for name in others:
        if not _is_run_or_file(name):
            raise RunError(
                f"{name} is not a run, and only the last argument may be data; "
                "a run is the folder that `tellapart train` prints"
            )
    return [Path(first), *map(Path, others)], data


def _is_run_or_file(name: str) -> bool:
    path = Path(name)
    return name not in CATALOGUE and (is_run(path) or path.suffix == ".safetensors")
