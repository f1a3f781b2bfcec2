"""The output layer's initial weights, where they are computed from the features of train."""

from __future__ import annotations

import torch
from torch import nn

from tellapart.config import Recipe
from tellapart.data.image_set import ImageSet
from tellapart.errors import DataError
from tellapart.finetuning.features import Progress, cached_features
from tellapart.finetuning.linear_layer import LinearFit, fit_linear
from tellapart.finetuning.prototypes import prototypes
from tellapart.finetuning.stages import output_layer
from tellapart.models.classifier import Classifier
from tellapart.runtime import Runtime, generator, place


def is_computed(recipe: Recipe) -> bool:
    """Whether the output layer is computed from the images of train before training begins."""
    return recipe.finetuning.head in ("linear", "prototype")


def fit_output_layer(
    classifier: Classifier,
    train: ImageSet,
    recipe: Recipe,
    runtime: Runtime,
    *,
    class_weights: torch.Tensor | None = None,
    progress: Progress | None = None,
) -> LinearFit | None:
    """Sets the output layer as ``finetuning.head`` asks, in place; ``new`` and ``source`` stay.

    Args:
        classifier: with the weights of its source; it is moved to the device.
        train: at least one image of every class.
        recipe: which head; where it mirrors images, a linear one is fitted to mirror images too,
            if that gives a lower loss in cross-validation.
        runtime: device and precision.
        class_weights: float32 (classes,), of a linear layer's loss; None weighs all alike.
        progress: called with (images done, images in all) while features are computed.

    Returns:
        The linear layer and its cross-validation; None for another head.

    Raises:
        DataError: a class without an image.
    """
    head = recipe.finetuning.head
    if not is_computed(recipe):
        return None
    _require_every_class(train, head)
    place(classifier, runtime)
    features = cached_features(classifier, train.images, runtime, progress=progress)
    labels = train.labels.cpu()
    if head == "prototype":
        _set(classifier, *prototypes(features, labels, train.num_classes))
        return None
    weights = torch.ones(train.num_classes) if class_weights is None else class_weights.cpu()

    def fitted(*views: torch.Tensor) -> LinearFit:
        return fit_linear(views, labels, weights, generator(recipe.training.seed, "folds"))

    fit = fitted(features)
    if recipe.augmentation.flip_horizontal:
        mirrored = cached_features(
            classifier, train.images, runtime, mirrored=True, progress=progress
        )
        # Hands that sign a digit are right hands: their mirror images are other images.
        fit = min(fit, fitted(features, mirrored), key=lambda one: one.loss)
    _set(classifier, fit.weight, fit.bias)
    return fit


def _set(classifier: Classifier, weight: torch.Tensor, bias: torch.Tensor) -> None:
    layer = output_layer(classifier.network)
    assert isinstance(layer.weight, nn.Parameter)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if isinstance(layer.bias, nn.Parameter):
            layer.bias.copy_(bias)


def _require_every_class(train: ImageSet, head: str) -> None:
    empty = [name for name, n in zip(train.class_names, train.class_counts(), strict=True) if not n]
    if empty:
        raise DataError(
            f"finetuning.head={head} needs an image of every class; there is none of "
            f"{', '.join(empty[:5])}: set finetuning.head=new"
        )
