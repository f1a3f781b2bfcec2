"""The plan of a training run, complete before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.finetuning.start import Start
from tellapart.models.classifier import Classifier
from tellapart.models.views import num_views
from tellapart.runs.calibration import CalibratedOn, calibrated_on
from tellapart.runs.folder import DataReference
from tellapart.runtime import Runtime


@dataclass(frozen=True)
class Plan:
    """The plan of a training run: its data, recipe, network and device.

    Args:
        data: where the images come from.
        data_set: all the images.
        splits: the images of this run by split: ``train``, then ``validation``, ``calibration`` and
            ``test``, as far as there are such images.
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
    splits: Mapping[str, ImageSet]
    recipe: Recipe
    reason: str
    classifier: Classifier
    teacher: Classifier | None
    start: Start | None
    runtime: Runtime
    num_parameters: int

    @property
    def train(self) -> ImageSet:
        """The images to train on."""
        return self.splits["train"]

    @property
    def validation(self) -> ImageSet | None:
        """The images for early stopping and validation figures, or None."""
        return self.splits.get("validation")

    @property
    def calibrated_on(self) -> CalibratedOn | None:
        """The images to which the temperature will be fitted; None leaves it uncalibrated."""
        return calibrated_on(self.splits, self.recipe)

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
            "calibrated_on": self.calibrated_on,
            "num_images": {name: len(part) for name, part in self.splits.items()},
            "device": str(self.runtime.device),
            "precision": self.runtime.precision,
            **(self.start.plan_to_json() if self.start else {}),
        }
