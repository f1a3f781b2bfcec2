"""The plan of a training run, complete before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.finetuning.start import Start
from tellapart.models.classifier import Classifier
from tellapart.models.views import num_views
from tellapart.runs.folder import DataReference
from tellapart.runtime import Runtime


@dataclass(frozen=True)
class Plan:
    """The plan of a training run: its data, recipe, network and device.

    Args:
        data: where the images come from.
        data_set: all the images.
        train: the images to train on.
        validation: the images for early stopping and validation figures, or None.
        recipe: all settings of the run.
        reason: why this recipe was chosen; empty if it was requested.
        classifier: untrained, or with the weights of its source.
        teacher: a trained classifier to distil from, or None.
        start: the source of the weights of a fine-tuned classifier, or None.
        runtime: the device and precision to train with.
        num_parameters: the number of trainable weights.
    """

    data: DataReference
    data_set: DataSet
    train: ImageSet
    validation: ImageSet | None
    recipe: Recipe
    reason: str
    classifier: Classifier
    teacher: Classifier | None
    start: Start | None
    runtime: Runtime
    num_parameters: int

    @property
    def splits(self) -> dict[str, ImageSet]:
        """The splits of this run by name: train, validation and test, as far as they exist."""
        used = {**self.data_set.splits, "train": self.train, "validation": self.validation}
        order = ("train", "validation", "test")
        return {name: part for name in order if (part := used.get(name)) is not None}

    def to_json(self) -> dict[str, Any]:
        """Return what ``--dry-run --json`` prints."""
        return {
            "data": self.data.name,
            "recipe": self.recipe.name,
            "reason": self.reason,
            "seed": self.recipe.training.seed,
            "network": self.recipe.model.network,
            "num_parameters": self.num_parameters,
            "num_epochs": self.recipe.training.epochs,
            "views": num_views(self.classifier.views),
            "class_names": list(self.data_set.class_names),
            "image_shape": list(self.train.image_shape),
            "num_images": {name: len(part) for name, part in self.splits.items()},
            "device": str(self.runtime.device),
            "precision": self.runtime.precision,
            **(self.start.plan_to_json() if self.start else {}),
        }
