"""A run's training images as neighbours, and the figures of images with trusted labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError
from tellapart.evaluation import predict_logits
from tellapart.explanation.kinds import NUM_NEIGHBOURS, Reference, ratios_of
from tellapart.explanation.neighbours import Neighbours
from tellapart.finetuning.features import cached_features, output_features
from tellapart.models.classifier import Classifier
from tellapart.runtime import Runtime

# Below this, one image that is not rare by chance decides what is called rare.
_FEWEST_HELD_OUT = 200
# A comparison with more would take longer and hardly move a quantile.
_MOST_REFERENCES = 1000


@dataclass(frozen=True)
class Neighbourhood:
    """The training images of a run, by features, and the reference figures.

    Args:
        neighbours: finds training images.
        reference: the figures to compare with.
        train: the training images.
    """

    neighbours: Neighbours
    reference: Reference
    train: ImageSet


def measure_neighbourhood(
    classifier: Classifier,
    splits: Mapping[str, ImageSet],
    runtime: Runtime,
    progress: Callable[[int, int], None],
) -> Neighbourhood:
    """Measure the training images of a run.

    The reference is the validation or the calibration split where it has at least 200 images, else
    at most 1,000 training images, spread evenly.

    Args:
        classifier: on the device of ``runtime``.
        splits: ``train``, and others, of the run.
        runtime: device and precision.
        progress: called while features are computed.
    """
    train = splits["train"]
    features = _features_of_train(classifier, train, runtime, progress)
    neighbours = Neighbours(features, train.labels, train.num_classes)
    held_out = next((name for name in ("validation", "calibration") if name in splits), None)
    if held_out is not None and len(splits[held_out]) >= _FEWEST_HELD_OUT:
        split, rows = held_out, _spread(len(splits[held_out]))
        own = None
        images = splits[held_out].select(rows)
        queries = features_of(classifier, images.images)
    else:
        split, rows = "train", _spread(len(train))
        own, images, queries = rows, train.select(rows), features[rows]
    found = neighbours.find(queries, NUM_NEIGHBOURS, own)
    plain = classifier.with_views("plain")
    logits = predict_logits(plain, images.images, device=runtime.device)
    labels = images.labels.cpu()
    probabilities = logits.softmax(1).gather(1, labels[:, None]).squeeze(1)
    ratios = ratios_of(found.to_classes, labels)
    reference = Reference(split, found.distances[:, -1], ratios, probabilities, labels)
    return Neighbourhood(neighbours, reference, train)


def features_of(classifier: Classifier, images: Tensor) -> Tensor:
    """Return the features of images, float32 (images, features), on the CPU.

    They are the output layer's inputs; of a network without a linear layer, its logits.
    """
    device = classifier.scale.device
    try:
        return output_features(classifier, images, device).flatten(1)
    except ConfigError:
        return predict_logits(_without_temperature(classifier), images, device=device)


def _features_of_train(
    classifier: Classifier,
    train: ImageSet,
    runtime: Runtime,
    progress: Callable[[int, int], None],
) -> Tensor:
    try:
        return cached_features(classifier, train.images, runtime, progress=progress).flatten(1)
    except ConfigError:
        return features_of(classifier, train.images)


def _without_temperature(classifier: Classifier) -> nn.Module:
    return classifier.with_views("plain").with_temperature(None)


def _spread(count: int) -> Tensor:
    """Indices of at most so many images as are compared, evenly spread."""
    return torch.arange(0, count, max(1, -(-count // _MOST_REFERENCES)))
