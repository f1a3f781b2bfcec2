"""``predict``: what a classifier says of picture files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tellapart.data.images.drawing import read_drawing
from tellapart.data.images.files import find_images, read_image
from tellapart.data.preparation import Frame
from tellapart.errors import DataError, RunError
from tellapart.evaluation import predict_logits
from tellapart.models.checkpoint import read_classifier
from tellapart.models.classifier import Classifier
from tellapart.models.views import num_views, views_with_tta
from tellapart.runs.folder import RunFolder, open_run
from tellapart.runtime import choose_runtime, set_threads

# Pictures decoded before the network sees them: bounds memory, whatever is asked.
_IMAGES_AT_A_TIME = 256


@dataclass(frozen=True)
class Prediction:
    """What is said of one file: a class and its runner-up with probabilities, or an error.

    ``changes`` says what was done to a drawing so that it looks as those trained on do, ``views``
    over how many views of the picture the probabilities are the mean; an error has none.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    runner_up: str | None = None
    runner_up_probability: float | None = None
    error: str | None = None
    changes: tuple[str, ...] = ()
    views: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As ``predict --json`` lists it."""
        return {**asdict(self), "changes": list(self.changes)}


def predict(
    run: str | Path,
    pictures: Sequence[str | Path],
    *,
    as_is: bool = False,
    tta: bool | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> list[Prediction]:
    """Names the class of picture files, in the order in which they were found.

    Args:
        run: a run folder, or a classifier file.
        pictures: files, folders (searched to the bottom) and patterns.
        as_is: changes no drawing that differs in ground, size or place from those trained on.
        tta: test-time augmentation: what `tellapart.models.views.views_with_tta`
            makes of the views of the recipe.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: how many the processor may use for one operation; None is torch's choice.

    Returns:
        One prediction per file; a file that is no picture has an ``error`` and no class.

    Raises:
        TellapartError: any of its kinds, where the run is none or no file was found.
    """
    set_threads(threads)
    classifier = open_classifier(Path(run))
    runtime = choose_runtime(device, "fp32")
    classifier.to(runtime.device)
    classifier.views = views_with_tta(classifier.views, tta)
    paths = find_images([str(entry) for entry in pictures])
    predictions: list[Prediction] = []
    for start in range(0, len(paths), _IMAGES_AT_A_TIME):
        part = paths[start : start + _IMAGES_AT_A_TIME]
        predictions += _predict_some(classifier, part, runtime.device, as_is=as_is)
    return predictions


def open_classifier(source: Path) -> Classifier:
    """The classifier of a run, or in a classifier file.

    Raises:
        RunError: a folder that is no run, or a run that is not finished.
        ClassifierFileError: a file that is no classifier.
    """
    if source.is_file():
        return read_classifier(source)[0]
    return read_classifier(open_finished_run(source).classifier_file)[0]


def open_finished_run(path: Path) -> RunFolder:
    """An existing run that was trained to its end.

    Raises:
        RunError: a folder that is no run, or a run that is not finished.
    """
    run = open_run(path)
    if not run.classifier_file.exists():
        raise RunError(
            f"run {path} is not finished: it has no {run.classifier_file.name}; "
            f"go on with `tellapart train --resume {path}`"
        )
    return run


def _predict_some(
    classifier: Classifier,
    paths: Sequence[Path],
    device: torch.device,
    *,
    as_is: bool,
) -> list[Prediction]:
    found: list[_Read | DataError] = []
    for path in paths:
        try:
            found.append(_read(classifier, path, as_is=as_is))
        except DataError as error:
            found.append(error)
    readable = [entry.picture for entry in found if isinstance(entry, _Read)]
    rows = iter(_probabilities(classifier, readable, device))
    return [
        Prediction(str(path), error=str(entry))
        if isinstance(entry, DataError)
        else _prediction(path, next(rows), classifier, entry.changes)
        for path, entry in zip(paths, found, strict=True)
    ]


class _Read(NamedTuple):
    """A picture as the network takes it, and what was changed in it."""

    picture: torch.Tensor
    changes: tuple[str, ...]


def _read(classifier: Classifier, path: Path, *, as_is: bool) -> _Read:
    """The picture in a file, made to fit in the way of those trained on."""
    channels, height, width = classifier.image_shape
    if classifier.style and not as_is:
        return _Read(*read_drawing(path, Frame(channels, height, width), classifier.style))
    picture = read_image(path, channels=channels, height=height, width=width, fit=classifier.fit)
    return _Read(picture, ())


def _probabilities(
    classifier: Classifier, pictures: Sequence[torch.Tensor], device: torch.device
) -> torch.Tensor:
    """(pictures, classes); none for no pictures."""
    if not pictures:
        return torch.empty(0, 0)
    return predict_logits(classifier, torch.stack(list(pictures)), device=device).softmax(1)


def _prediction(
    path: Path, probabilities: torch.Tensor, classifier: Classifier, changes: tuple[str, ...]
) -> Prediction:
    names = classifier.class_names
    (best, second), (label, runner_up) = (part.tolist() for part in probabilities.topk(2))
    return Prediction(
        str(path),
        names[label],
        best,
        names[runner_up],
        second,
        changes=changes,
        views=num_views(classifier.views),
    )
