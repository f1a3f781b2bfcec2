"""Runs that answer together: whether they fit one another, and what each was trained on."""

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
from tellapart.runs.splits import training_splits
from tellapart.runs.trained_run import TrainedRun, open_run


def open_runs(runs: Sequence[str | Path], session: Session) -> list[TrainedRun]:
    """The runs, opened, in the order given.

    Raises:
        RunError: no run, a folder that is none or is not finished, or runs that do not know the
            same classes, or take their images in another form.
        ClassifierFileError, ConfigError: a run with a damaged file.
    """
    if not runs:
        raise RunError("no run is named; give the folder that `tellapart train` prints")
    opened = [open_run(run, session=session) for run in runs]
    for other in opened[1:]:
        _require_alike(opened[0], other)
    return opened


def _require_alike(first: TrainedRun, other: TrainedRun) -> None:
    ours, theirs = first.classifier.spec, other.classifier.spec
    missing = sorted(set(ours.class_names) ^ set(theirs.class_names))
    if missing:
        raise RunError(
            f"runs {first.path} and {other.path} do not know the same classes: only one of them "
            f"knows {', '.join(map(repr, missing[:5]))}; "
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
        RunError: a run that chose by other images.
    """
    first = runs[0]
    for other in runs[1:]:
        theirs = None
        if first.shares_data_with(other):
            theirs = other.splits.get("validation")
        if theirs is None or not torch.equal(validation.images, theirs.images):
            raise RunError(
                f"runs {first.path} and {other.path} have not the same validation split (another "
                "data.split_seed, fraction or data cuts another), so one was trained on what the "
                "other chose by; evaluate them on --split test"
            )


def warn_of_seen_images(
    runs: Sequence[TrainedRun], image_set: ImageSet, callbacks: Callbacks, *, own: bool
) -> None:
    """Warns of images that the runs have been trained on, as far as that can be known.

    Args:
        runs: all that are evaluated.
        image_set: the images that they are evaluated on.
        callbacks: is warned.
        own: whether ``image_set`` is of the first run's data, cut as that run cut it; then those
            who share that data need no look.
    """
    asked = [run for run in runs if not (own and run.shares_data_with(runs[0]))]
    by_training: dict[tuple[object, ...], list[TrainedRun]] = {}
    for run in asked:
        by_training.setdefault(_what_it_learned_from(run), []).append(run)
    for alike in by_training.values():
        who = "the classifier" if len(runs) == 1 else _named(alike)
        _warn_of_seen_images(alike[0], who, image_set, callbacks)


def _what_it_learned_from(run: TrainedRun) -> tuple[object, ...]:
    """Equal for runs with the same training images."""
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
        trained_on, _ = training_splits(own, run.recipe)
    except (DataError, RunError):
        whose = "the run's own data" if who == "the classifier" else f"the data of {who}"
        callbacks.warn(
            f"{whose} ({run.data.name}) is not found, so nobody can tell whether "
            "some of these images were trained on"
        )
        return
    shared = count_equal_images(image_set, trained_on)
    if shared:
        verb = "have" if who.startswith("runs ") else "has"
        callbacks.warn(
            f"{shared:,} of these {len(image_set):,} images are in the train split of "
            f"{run.data.name}: {who} {verb} seen them, and the accuracy says little"
        )


def ensemble_digest(runs: Iterable[TrainedRun]) -> str:
    """Eight hexadecimal digits that tell these networks from any others, in whatever order."""
    digests = (weights_sha256(run.classifier.network.state_dict()) for run in runs)
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:8]


def split_arguments(arguments: Sequence[str]) -> tuple[list[Path], str | None]:
    """The runs in ``RUN [RUN ...] [DATA]``, and the data where there is any.

    The first is a run. Any other is one where it is a run's folder or a classifier file; a name of
    the catalogue is neither. The last may be something else, and is the data then.

    Raises:
        RunError: something else before the last.
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
