"""What a training run is going to do, settled before anything is written."""

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
    """What a training run is going to do.

    Args:
        data: where the images come from.
        data_set: all of them.
        train: the images to learn from.
        validation: the images to choose by, or None.
        recipe: everything that decides the run.
        reason: why this recipe, where nobody asked for one.
        classifier: untrained, or as its source was.
        teacher: a trained classifier to learn from as well, or None.
        start: what the classifier's weights come from, where it is fine-tuned.
        runtime: where it is trained.
        num_parameters: how many numbers training can change.
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
        """The splits as this run uses them: train, validation and test, as far as there are any."""
        used = {**self.data_set.splits, "train": self.train, "validation": self.validation}
        order = ("train", "validation", "test")
        return {name: part for name in order if (part := used.get(name)) is not None}

    def to_json(self) -> dict[str, Any]:
        """What ``--dry-run --json`` prints."""
        return {
            "data": self.data.name,
            "recipe": self.recipe.name,
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
            **(self.start.to_json() if self.start else {}),
        }
