"""The labels of a data set that are probably wrong, the most suspicious first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.image_set import Correction, DataSet
from tellapart.data.sets.corrections import corrections_text, source_place
from tellapart.errors import DataError
from tellapart.trust.labels.confident_learning import label_issues, label_scores
from tellapart.trust.labels.cross_validation import CrossValidation, accuracy
from tellapart.trust.labels.folds import FEWEST_IMAGES, NUM_FOLDS, folds_of, groups_of_train
from tellapart.wording import listed


@dataclass(frozen=True)
class SuspiciousLabel:
    """A label that is probably wrong.

    Args:
        place: split and index of the image in the data set that was examined.
        split: as a file of corrections names it, see `tellapart.data.sets.corrections`.
        index: of the image in that split.
        path: of its file from the data's folder on; empty for an image in arrays.
        file: its path as the findings of a check print it; None for an image in arrays.
        given: the class that it has.
        suggested: the most probable class.
        given_probability: of the given class.
        probability: of the suggested class.
    """

    place: tuple[str, int]
    split: str
    index: int
    path: str
    file: str | None
    given: str
    suggested: str
    given_probability: float
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Return what ``data check --labels --json`` lists."""
        return {
            "split": self.split,
            "index": self.index,
            "path": self.file,
            "given": self.given,
            "suggested": self.suggested,
            "given_probability": self.given_probability,
            "probability": self.probability,
        }


@dataclass(frozen=True)
class LabelCheck:
    """What a cross-validation tells of the labels of a data set.

    Args:
        suspicious: the most suspicious first: those with the lowest probability of the given class.
        recipe: by which classifiers were trained.
        accuracies: by split, the fraction of labels that are the most probable class, of images
            that the classifiers were not trained on.
        not_examined: the classes with too few images, and how many of train each has.
    """

    suspicious: tuple[SuspiciousLabel, ...]
    recipe: str
    accuracies: Mapping[str, float]
    not_examined: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return what ``data check --labels --json`` adds."""
        return {
            "suspicious": [label.to_json() for label in self.suspicious],
            "labels": {
                "recipe": self.recipe,
                "num_folds": NUM_FOLDS,
                "accuracies": dict(self.accuracies),
                "not_examined": dict(self.not_examined),
            },
        }

    def corrections_text(self) -> str:
        """Return the file of corrections that accepts every suggestion, in the same order."""
        rows = [
            Correction(label.split, label.index, label.path, label.given, label.suggested)
            for label in self.suspicious
        ]
        return corrections_text(rows, by_path=any(row.path for row in rows))

    def not_examined_in_words(self) -> str:
        """Return which labels were not examined, and why; empty where all were."""
        if not self.not_examined:
            return ""
        named = listed((f"{name!r} ({count})" for name, count in self.not_examined.items()), 10)
        return (
            f"not examined in train: {named}: a class needs {FEWEST_IMAGES} images, of several "
            "groups, to be learned from some and tested on the others"
        )


def check_labels(validation: CrossValidation) -> LabelCheck:
    """Find the labels that are probably wrong, in every split.

    Raises:
        DataError: fewer than two classes that can be cross-validated.
    """
    data_set, seed = validation.data_set, validation.recipe.training.seed
    train = data_set.split("train")
    folds = folds_of(train.labels.cpu(), groups_of_train(data_set), seed)
    left = sorted(set(train.labels.cpu()[folds < 0].tolist()))
    not_examined = {train.class_names[label]: train.class_counts()[label] for label in left}
    if sum(count > 0 for count in train.class_counts()) - len(left) < 2:
        found = listed((f"{name!r} has {count}" for name, count in not_examined.items()), 5)
        raise DataError(
            f"{data_set.name}: labels are examined by cross-validation, for which at least two "
            f"classes need {FEWEST_IMAGES} images in train each, of several groups; class {found}: "
            "add images, or leave out --labels"
        )
    probabilities = validation.probabilities(folds)
    found_in = {split: accuracy(data_set, probabilities, split) for split in data_set.splits}
    return LabelCheck(
        suspicious_labels(data_set, probabilities),
        validation.recipe.name,
        {split: value for split, value in found_in.items() if value is not None},
        not_examined,
    )


def suspicious_labels(
    data_set: DataSet, probabilities: Mapping[str, NDArray[np.float64]]
) -> tuple[SuspiciousLabel, ...]:
    """Return the suspicious labels of all splits together, the most suspicious first.

    Args:
        data_set: the images with their given labels.
        probabilities: by split (images, classes), of classifiers that were not trained on the
            image; images with NaN are not examined.
    """
    found: list[tuple[float, SuspiciousLabel]] = []
    for split, of_split in probabilities.items():
        examined = np.flatnonzero(~np.isnan(of_split).any(1))
        if not len(examined):
            continue
        labels = data_set.split(split).labels.cpu().numpy()[examined]
        scores = label_scores(labels, of_split[examined])
        for number in label_issues(labels, of_split[examined]).tolist():
            index = int(examined[number])
            found.append((float(scores[number]), _suspicious(data_set, split, index, of_split)))
    # A stable sort: within a split the order of confident learning stays.
    return tuple(label for _, label in sorted(found, key=lambda pair: pair[0]))


def _suspicious(
    data_set: DataSet, split: str, index: int, probabilities: NDArray[np.float64]
) -> SuspiciousLabel:
    names, files = data_set.class_names, data_set.files.get(split)
    given = int(data_set.split(split).labels[index])
    others = probabilities[index].copy()
    others[given] = -1
    suggested = int(others.argmax())
    own_split, own_index, path = source_place(data_set, split, index)
    return SuspiciousLabel(
        (split, index),
        own_split,
        own_index,
        path,
        str(files[index]) if files else None,
        names[given],
        names[suggested],
        float(probabilities[index, given]),
        float(probabilities[index, suggested]),
    )
