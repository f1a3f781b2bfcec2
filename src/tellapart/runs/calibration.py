"""Images that a run's network was not fitted to, and its logits for them: what calibrates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from torch import Tensor

from tellapart.config import Recipe
from tellapart.data.image_set import ImageSet
from tellapart.errors import ClassifierFileError
from tellapart.models.checkpoint import load_tensors, save_tensors

CalibratedOn = Literal["validation", "calibration", "cross-validation"]
"""The validation split; the images held out of train for it; or the images of train, each by an
output layer that was fitted to the others."""

FEWEST_IMAGES = 20
"""With fewer images than this a temperature would be chance, and none is fitted."""


def calibrated_on(splits: Mapping[str, ImageSet], recipe: Recipe) -> CalibratedOn | None:
    """Return the images on which a run is calibrated; None if there are none, or too few.

    Data that brings both has its calibration split used, which nothing else is chosen by.
    An output layer that is computed and not trained any further is cross-validated anyway; where
    nothing is held out, that calibrates it on all images of train.
    """
    for name in ("calibration", "validation"):
        if name in splits:
            return name if len(splits[name]) >= FEWEST_IMAGES else None
    is_linear = recipe.training.epochs == 0 and recipe.finetuning.head == "linear"
    # Cross-validation looks at the images themselves, so it cannot tell of a mean over views.
    if is_linear and recipe.prediction.views == "plain" and len(splits["train"]) >= FEWEST_IMAGES:
        return "cross-validation"
    return None


@dataclass(frozen=True)
class HeldOutAnswers:
    """The network's logits for images that it was not fitted to.

    Args:
        origin: which images.
        logits: float32 (images, classes), of the recipe's views and without a temperature.
        labels: int64 (images,).
    """

    origin: CalibratedOn
    logits: Tensor
    labels: Tensor

    def save(self, path: Path) -> None:
        """Writes a file of them, whole or not at all.

        Raises:
            RunError: a file that cannot be written.
        """
        save_tensors(path, {"logits": self.logits, "labels": self.labels}, {"origin": self.origin})

    @classmethod
    def read(cls, path: Path) -> HeldOutAnswers:
        """Reads the file that :meth:`save` wrote.

        Raises:
            ClassifierFileError: a file that is missing, damaged or another one.
        """
        tensors, header = load_tensors(path)
        logits, labels, origin = tensors.get("logits"), tensors.get("labels"), header.get("origin")
        if (
            origin not in get_args(CalibratedOn)
            or logits is None
            or labels is None
            or logits.shape[:1] != labels.shape
        ):
            raise ClassifierFileError(
                f"{path} does not hold the logits that a run was calibrated on; train a new run"
            )
        return cls(cast(CalibratedOn, origin), logits, labels)
