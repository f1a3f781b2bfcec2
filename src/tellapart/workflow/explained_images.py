"""The images that ``explain`` explains: the mistakes on a run's test split, or pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tellapart.data.images.files import find_images
from tellapart.errors import DataError, RunError
from tellapart.evaluation import predict_logits
from tellapart.evaluation.mistakes import most_confident_mistakes
from tellapart.explanation.entries import NotExplained
from tellapart.explanation.explaining import Answered
from tellapart.models.classifier import Classifier
from tellapart.models.reading import read_image
from tellapart.runs.drawings import NOT_FOUND
from tellapart.runs.trained_run import TrainedRun
from tellapart.wording import plural

NUM_MISTAKES = 20
# A page of more would be tens of megabytes, and nobody reads it.
MOST_PICTURES = 500


@dataclass(frozen=True)
class ImagesToExplain:
    """Answered images, and what the page says about them.

    Args:
        answered: in the order of the page.
        not_explained: pictures that cannot be explained.
        title: the title of the page.
        lead: a sentence about what is shown.
        num_mistakes: how many mistakes there are on the test split; None for pictures.
        num_images: how many images the test split has; None for pictures.
    """

    answered: tuple[Answered, ...]
    not_explained: tuple[NotExplained, ...]
    title: str
    lead: str
    num_mistakes: int | None = None
    num_images: int | None = None


def mistakes_to_explain(run: TrainedRun, classifier: Classifier) -> ImagesToExplain:
    """Return the most confident mistakes on the test split.

    Args:
        run: with its data.
        classifier: the run's, on its device.

    Raises:
        RunError: a run without a test split, or whose data is missing or has changed.
    """
    folder, test = run.folder, run.splits.get("test")
    if test is None:
        raise RunError(
            f"run {folder.path} has no test split, on which mistakes could be found; name pictures "
            f"instead: `tellapart explain {folder.path} PICTURES`"
        )
    logits = predict_logits(classifier, test.images, device=classifier.scale.device)
    answers, probabilities = classifier.decide(logits), logits.softmax(1)
    mistakes = most_confident_mistakes(logits, test.labels, NUM_MISTAKES, answers)
    answered = tuple(
        Answered(
            test.images[mistake.index],
            mistake.prediction,
            mistake.probability,
            mistake.label,
            float(probabilities[mistake.index, mistake.label]),
            is_truth=True,
            index=mistake.index,
        )
        for mistake in mistakes
    )
    total = int((answers != test.labels.cpu()).sum())
    lead = _lead(len(mistakes), total, len(test))
    return ImagesToExplain(answered, (), _title(run), lead, total, len(test))


def pictures_to_explain(
    run: TrainedRun, classifier: Classifier, pictures: Sequence[str | Path], *, as_is: bool
) -> ImagesToExplain:
    """Return the answers for image files, found and read as ``predict`` does.

    Args:
        run: with or without its data.
        classifier: the run's, on its device.
        pictures: files, folders and patterns.
        as_is: keep drawings as they are.

    Raises:
        DataError: no file is found, or more than `MOST_PICTURES`.
    """
    paths = find_images([str(entry) for entry in pictures])
    if len(paths) > MOST_PICTURES:
        raise DataError(
            f"explain takes at most {MOST_PICTURES} pictures at a time, got {len(paths):,}; name "
            "fewer, for instance by a pattern"
        )
    read: list[tuple[str, Tensor]] = []
    not_explained = []
    for path in paths:
        try:
            fitted = read_image(path, classifier.spec, as_is=as_is)
        except DataError as error:
            not_explained.append(NotExplained(str(path), str(error)))
            continue
        if fitted.found:
            read.append((str(path), torch.from_numpy(np.ascontiguousarray(fitted.pixels))))
        else:
            not_explained.append(NotExplained(str(path), f"{path}: {NOT_FOUND}", found=False))
    answered = _answers(classifier, read) if read else ()
    lead = f"Why {plural(len(answered), 'picture')} got the answer that was given."
    return ImagesToExplain(answered, tuple(not_explained), _title(run), lead)


def _answers(classifier: Classifier, read: Sequence[tuple[str, Tensor]]) -> tuple[Answered, ...]:
    """The answer and the runner-up for each picture."""
    batch = torch.stack([pixels for _, pixels in read])
    logits = predict_logits(classifier, batch, device=classifier.scale.device)
    answers, probabilities = classifier.decide(logits), logits.softmax(1)
    runners_up = probabilities.scatter(1, answers[:, None], -1).argmax(1)
    return tuple(
        Answered(pixels, answer, float(row[answer]), other, float(row[other]), path=path)
        for (path, pixels), answer, other, row in zip(
            read, answers.tolist(), runners_up.tolist(), probabilities, strict=True
        )
    )


def _title(run: TrainedRun) -> str:
    if run.path.is_file():
        return run.path.name
    return f"{run.data.name} · {run.path.resolve().name}"


def _lead(num_shown: int, num_mistakes: int, num_images: int) -> str:
    images = plural(num_images, "test image")
    if not num_mistakes:
        return (
            f"There is no mistake on {images}, so there is nothing to explain here; name pictures "
            "to see why they are answered as they are."
        )
    mistakes = f"{plural(num_mistakes, 'mistake')} on {images}"
    if num_shown == num_mistakes:
        return f"All {mistakes}, the most confident first."
    return f"The {num_shown} most confident of {mistakes}, the most confident first."
