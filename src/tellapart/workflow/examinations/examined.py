"""What an examination examines: classifiers, the images they are evaluated on, and the logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from tellapart.data.image_set import ImageSet
from tellapart.evaluation import predict_logits
from tellapart.models.classifier import Classifier
from tellapart.models.decision import decide
from tellapart.models.ensemble import Ensemble, Reordered
from tellapart.models.views import num_views, views_in_words, views_with_tta
from tellapart.runs.evaluations import evaluation_title
from tellapart.runs.session import Session
from tellapart.runs.trained_run import TrainedRun
from tellapart.workflow.evaluated_images import EvaluatedImages


@dataclass(frozen=True)
class Examined:
    """Classifiers with the images that they are evaluated on.

    The logits are computed when they are first used, so that an examination that refuses its
    argument does so before that.

    Args:
        runs: the runs; several are an ensemble.
        evaluated: the images, prepared as the first run takes them.
        session: device, threads and callbacks.
        data: the data that was named, None where the run's own is taken.
        tta: test-time augmentation, as `evaluate` takes it.
        as_is: whether drawings of other data are kept as they are.
    """

    runs: Sequence[TrainedRun]
    evaluated: EvaluatedImages
    session: Session
    data: str | Path | None = None
    tta: bool | None = None
    as_is: bool = False

    @cached_property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The classifier of each run, with the views that are used."""
        return tuple(
            run.classifier.with_views(views_with_tta(run.classifier.views, self.tta))
            for run in self.runs
        )

    @cached_property
    def device(self) -> torch.device:
        """The device of the session."""
        return self.session.runtime().device

    @cached_property
    def predictor(self) -> nn.Module:
        """The classifier itself, or the mean of several in the first one's class order.

        It is on :attr:`device` and takes uint8 images (batch, channels, height, width).
        """
        first, names = self.classifiers[0], self.class_names
        if len(self.classifiers) == 1:
            return first.to(self.device)
        in_order = [
            classifier
            if classifier.class_names == names
            else Reordered(classifier, [classifier.class_names.index(name) for name in names])
            for classifier in self.classifiers
        ]
        return Ensemble(in_order).to(self.device)

    @cached_property
    def logits(self) -> Tensor:
        """The logits of all images, float32 (images, classes) on the CPU.

        Raises:
            ShapeError: images of another shape than the classifier takes.
        """
        return self.logits_of(self.image_set.images)

    @property
    def answers(self) -> Tensor:
        """The class that is answered for each image, int64 (images,)."""
        return self.decide(self.logits)

    @property
    def image_set(self) -> ImageSet:
        """The images and their labels."""
        return self.evaluated.image_set

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, one per logit."""
        return self.classifiers[0].class_names

    @property
    def views(self) -> tuple[int, ...]:
        """For each run, the number of views of an image that it averages over."""
        return tuple(num_views(classifier.views) for classifier in self.classifiers)

    @property
    def title(self) -> str:
        """A title such as ``mnist, test split, ensemble of 3 runs, nine views of each image``."""
        return evaluation_title(self.evaluated.data_set.name, self.evaluated.split, self.views)

    def logits_of(self, images: Tensor) -> Tensor:
        """Return the logits of other images of the same shape, float32 (images, classes)."""
        return predict_logits(self.predictor, images, device=self.device)

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability from which on a class is answered, of at most one class."""
        # Of several classifiers the mean is evaluated, which has no threshold.
        return self.classifiers[0].spec.thresholds if len(self.classifiers) == 1 else {}

    @property
    def temperature(self) -> float | None:
        """The number by which the logits were divided; None for several, whose mean has none."""
        return self.classifiers[0].spec.temperature if len(self.classifiers) == 1 else None

    def decide(self, logits: Tensor) -> Tensor:
        """Return the class that is answered for logits (images, classes), int64 (images,)."""
        return decide(logits, self.class_names, self.thresholds)

    def described(self) -> dict[str, str]:
        """Return what a page shows about its origin, by name."""
        runs = ", ".join(str(run.path) for run in self.runs)
        return {
            "evaluated on": self.title,
            "run" if len(self.runs) == 1 else "runs": runs,
            "views of each image": views_in_words(self.views),
            "fingerprint of the data": self.evaluated.data_set.fingerprint,
        }
