"""Images of a kind that a classifier was not trained on: the rule that flags them.

The score is chosen by measurement (``docs/trust.md``): the distance to the third nearest of at most
1,000 training images. An image is a point: what the last layer sees, the direction and the length
of the features from which it computes logits, and what the first layer sees, the contrast in each
of its channels (`Coordinates`). A network whose output layer cannot be told apart has no such
features; its score is the confidence.

The threshold is taken from held-out images, by the rank that makes the flag of a further image of
their kind a one in a hundred chance, whatever the network: S. Bates et al., "Testing for Outliers
with Conformal p-values", Annals of Statistics 51 (2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.evaluation import predict_logits
from tellapart.finetuning.stages import output_layer
from tellapart.models.capture import captured
from tellapart.models.classifier import Classifier
from tellapart.models.spec import OutsideRule, OutsideScore
from tellapart.trust.outside.scores import (
    NearestNeighbours,
    VirtualLogit,
    directions,
    energy_score,
    max_softmax_score,
)

MOST_REFERENCES = 1000
"""Training images that are kept for comparison, at most."""

FEWEST_HELD_OUT = 100
"""Of fewer images none is the one in a hundred that exceeds a threshold."""

FLAGGED_FRACTION = 0.01
NEIGHBOUR = 3

DIRECTIONS_ALONE = "directions alone (Sun)"
"""The name of the score of Sun et al., which is not the default."""

_LEAST_STD = 1e-6
# More features would make the references larger than most networks: 1 MB in float16.
_MOST_REFERENCE_VALUES = 2**19
_MOST_FEATURES = 4096


@dataclass(frozen=True)
class Observed:
    """What a network computes for images, of the images themselves and without a temperature.

    Args:
        logits: float32 (images, classes).
        features: float32 (images, inputs), the input of the output layer; None where the network
            has no output layer that can be told apart.
        contrasts: float32 (images, channels), the std over all positions of each channel of the
            first convolution; no channels where there is no convolution.
        answers: the logits with the temperature, what the classifier answers from one view.
    """

    logits: Tensor
    features: Tensor | None
    contrasts: Tensor
    answers: Tensor


@dataclass(frozen=True)
class Coordinates:
    """The coordinates of an image among the training images.

    The direction of its features, a unit vector; their length divided by the mean length; and its
    contrasts, each standardised by mean and std and divided by the root of their number. So each of
    the three differs between training images by about as much.

    Args:
        mean_length: the mean length of training images' features.
        contrasts: float64 (2, channels), mean and std of training images' contrasts.
    """

    mean_length: float
    contrasts: Tensor

    @classmethod
    def fit(cls, training: Observed) -> Coordinates:
        """Measure lengths and contrasts of training images that have features."""
        length = float(_given(training).double().norm(dim=1).mean())
        mean = training.contrasts.double().mean(0)
        std = (training.contrasts.double() - mean).square().mean(0).sqrt()
        # What never differs is shifted, not divided by 0.
        std = torch.where(std > _LEAST_STD * mean.abs(), std, torch.ones_like(std))
        return cls(length or 1.0, torch.stack([mean, std]))

    def of(self, observed: Observed) -> Tensor:
        """Return the points of images, float64 (images, inputs + 1 + channels)."""
        features, (mean, std) = _given(observed).double(), self.contrasts
        lengths = features.norm(dim=1, keepdim=True) / self.mean_length
        contrasts = (observed.contrasts.double() - mean) / std
        scale = max(1, contrasts.shape[1]) ** 0.5
        return torch.cat([directions(features), lengths, contrasts / scale], 1)


@dataclass(frozen=True)
class OutsideScorer:
    """A score of how unlike the training images an image is.

    Args:
        coordinates: make a point of an image; None scores by confidence.
        neighbours: the training images' points to compare with; None scores by confidence.
    """

    coordinates: Coordinates | None = None
    neighbours: NearestNeighbours | None = None

    @property
    def name(self) -> OutsideScore:
        """The name of the score."""
        return "max-softmax" if self.neighbours is None else "nearest-neighbour"

    def score(self, observed: Observed) -> Tensor:
        """Score images, float64 (images,); higher is more unlike the training images."""
        if self.coordinates is None or self.neighbours is None or observed.features is None:
            return max_softmax_score(observed.logits)
        return self.neighbours.score(self.coordinates.of(observed))


def observe(classifier: Classifier, images: Tensor, device: torch.device) -> Observed:
    """Return logits, features and contrasts of images, in one pass through the network.

    Args:
        classifier: on ``device``.
        images: uint8 (images, channels, height, width).
        device: where the classifier is.

    Raises:
        ShapeError: images of another shape than the classifier takes.
    """
    network, plain = classifier.network, classifier.with_views("plain")
    last, first = _output_layer(network), _first_convolution(network)
    inputs_of = [] if last is None else [last]
    with (
        captured(network, [network, *inputs_of], keep=_copied) as outputs,
        captured(network, inputs_of, inputs=True, keep=_copied) as inputs,
        captured(network, [] if first is None else [first], keep=_contrasts) as early,
    ):
        answers = predict_logits(plain, images, device=device)
    logits = torch.cat([seen.tensor for seen in outputs if seen.layer is network])
    contrasts = torch.cat([seen.tensor for seen in early] or [torch.zeros(len(logits), 0)])
    if len(contrasts) != len(logits):  # a layer that is used more than once
        contrasts = torch.zeros(len(logits), 0)
    own = [seen.tensor for seen in outputs if seen.layer is last]
    given = [seen.tensor for seen in inputs]
    features = None if last is None else _features(given, own, logits)
    return Observed(logits, features, contrasts, answers)


def _contrasts(tensor: Tensor) -> Tensor:
    """The std of each channel over all positions, (images, channels)."""
    return _copied(tensor.float().flatten(2).std(2, correction=0))


def _first_convolution(network: nn.Module) -> nn.Conv2d | None:
    return next((part for part in network.modules() if isinstance(part, nn.Conv2d)), None)


def _copied(tensor: Tensor) -> Tensor:
    # Made outside inference mode, so that autograd accepts it.
    with torch.inference_mode(False):
        return tensor.detach().float().cpu().clone()


def _output_layer(network: nn.Module) -> nn.Module | None:
    try:
        found = output_layer(network)
    except ConfigError:
        return None
    return None if found is network else found


def _features(given: list[Tensor], outputs: list[Tensor], logits: Tensor) -> Tensor | None:
    """The inputs of the output layer, one row an image, if its outputs are the logits."""
    if not given or any(part.ndim != 2 for part in given):
        return None
    features = torch.cat(given)
    is_output = len(features) == len(logits) and torch.equal(torch.cat(outputs), logits)
    return features if is_output and features.shape[1] <= _MOST_FEATURES else None


def fit_scorer(training: Observed) -> OutsideScorer:
    """Make the score that a classifier gets by default.

    Args:
        training: of training images in a random order, of which the first are kept; see
            `num_references`.
    """
    if training.features is None:
        return OutsideScorer()
    coordinates = Coordinates.fit(training)
    points = coordinates.of(training)
    # As they are stored, so that scores are the same from the file.
    kept = points[: num_references(points.shape[1])].half()
    return OutsideScorer(coordinates, NearestNeighbours.fit(kept, NEIGHBOUR))


def all_scores(
    classifier: Classifier, default: OutsideScorer, training: Observed
) -> Mapping[str, Callable[[Observed], Tensor]]:
    """Return every score by its name, the default first; those that need features only with them.

    Args:
        classifier: its output layer is what ViM looks at.
        default: the score that the classifier has, or would get.
        training: of training images in a random order.
    """
    scores: dict[str, Callable[[Observed], Tensor]] = {default.name: default.score}
    if training.features is not None:
        fitted = training.features
        bank = directions(fitted[: num_references(fitted.shape[1])])
        plain = NearestNeighbours.fit(bank, NEIGHBOUR)
        scores[DIRECTIONS_ALONE] = lambda seen: plain.score(directions(_given(seen)))
        virtual = _virtual_logit(classifier, training)
        scores["virtual logit (ViM)"] = lambda seen: virtual.score(_given(seen), seen.logits)
    scores["energy"] = lambda seen: energy_score(seen.logits)
    scores["max-softmax"] = lambda seen: max_softmax_score(seen.logits)
    return scores


def _virtual_logit(classifier: Classifier, training: Observed) -> VirtualLogit:
    """ViM with as many directions as its paper takes: 1,000 of 2,048, 512 of 768, else half."""
    layer, features = _output_layer(classifier.network), _given(training)
    assert layer is not None
    num_inputs = features.shape[1]
    d = 1000 if num_inputs >= 2048 else 512 if num_inputs >= 768 else num_inputs // 2
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    shift = bias.cpu() if isinstance(bias, Tensor) else None
    return VirtualLogit.fit(features, training.logits, weight.cpu(), shift, d)


def _given(observed: Observed) -> Tensor:
    assert observed.features is not None
    return observed.features


def num_references(num_coordinates: int) -> int:
    """Return how many training images are kept: 1,000, or fewer where their points are large."""
    return min(MOST_REFERENCES, _MOST_REFERENCE_VALUES // num_coordinates)


def threshold_of(held_out: Tensor) -> float:
    """Return the threshold that a further image of the held-out ones' kind exceeds 1 time in 100.

    The ``ceil(0.99 (n + 1))``-th smallest of n scores: where the images are exchangeable, a further
    one exceeds it with a probability of at most 1 %.

    Args:
        held_out: the scores of at least `FEWEST_HELD_OUT` images, (images,).
    """
    assert len(held_out) >= FEWEST_HELD_OUT
    rank = len(held_out) + 1 - math.floor(FLAGGED_FRACTION * (len(held_out) + 1) + 1e-9)
    return float(held_out.double().kthvalue(rank).values)


@dataclass(frozen=True)
class OutsideFit:
    """A classifier with its rule, and what a person should know about it.

    Args:
        classifier: with the rule, or without one where there are too few held-out images.
        note: a line, or nothing.
    """

    classifier: Classifier
    note: str | None


def fit_outside(
    classifier: Classifier, references: Tensor, held_out: Tensor | None, device: torch.device
) -> OutsideFit:
    """Give a classifier the rule that flags images unlike its training images.

    Args:
        classifier: on ``device``.
        references: training images in a random order, uint8 (images, channels, height, width), at
            most `MOST_REFERENCES` of them are kept for comparison.
        held_out: images of the same kind that it was not trained on, or None.
        device: where the classifier is.
    """
    num_held_out = 0 if held_out is None else len(held_out)
    if held_out is None or num_held_out < FEWEST_HELD_OUT:
        return OutsideFit(
            classifier.with_outside(None, {}),
            f"predict will not flag images unlike the training images: that takes at least "
            f"{FEWEST_HELD_OUT} images held out for validation or calibration, and there are "
            f"{num_held_out}",
        )
    scorer = fit_scorer(observe(classifier, references[:MOST_REFERENCES], device))
    scores = scorer.score(observe(classifier, held_out, device))
    if not bool(scores.isfinite().all()):
        return OutsideFit(classifier.with_outside(None, {}), None)  # its evaluation reports it
    threshold = threshold_of(scores)
    rule = OutsideRule(scorer.name, threshold, num_held_out, FLAGGED_FRACTION)
    note = None
    if scorer.neighbours is None:
        note = (
            "the network has no output layer with features of its own, so images unlike the "
            "training images are recognised by low confidence alone, which misses many"
        )
    return OutsideFit(classifier.with_outside(rule, _stored(scorer)), note)


def _stored(scorer: OutsideScorer) -> dict[str, Tensor]:
    """The tensors that a classifier keeps for its score."""
    coordinates, neighbours = scorer.coordinates, scorer.neighbours
    if coordinates is None or neighbours is None:
        return {}
    settings = torch.tensor([neighbours.k, coordinates.mean_length], dtype=torch.float64)
    return {"bank": neighbours.bank, "settings": settings, "contrasts": coordinates.contrasts}


def scorer_of(classifier: Classifier) -> OutsideScorer | None:
    """Return the score by which a classifier flags images; None for one that flags none.

    Raises:
        ClassifierFileError: a classifier whose references are not those of its score.
    """
    rule = classifier.spec.outside
    if rule is None:
        return None
    if rule.score == "max-softmax":
        return OutsideScorer()
    kept = classifier.references
    if not _fits(classifier, kept):
        raise ClassifierFileError(
            "the classifier file does not hold the training images' features by which it flags "
            "images unlike them; copy it again or train again"
        )
    k, mean_length = kept["settings"].tolist()
    return OutsideScorer(
        Coordinates(mean_length, kept["contrasts"]), NearestNeighbours(kept["bank"], int(k))
    )


def _fits(classifier: Classifier, kept: Mapping[str, Tensor]) -> bool:
    """Whether the references are those of a score of this network."""
    last, first = _output_layer(classifier.network), _first_convolution(classifier.network)
    weight = getattr(last, "weight", None)
    if not {"bank", "settings", "contrasts"} <= kept.keys() or weight is None:
        return False
    bank, settings, contrasts = kept["bank"], kept["settings"], kept["contrasts"]
    num_channels = 0 if first is None else first.out_channels
    return (
        all(tensor.is_floating_point() for tensor in (bank, settings, contrasts))
        and bank.ndim == 2
        and settings.shape == (2,)
        and tuple(contrasts.shape) in ((2, 0), (2, num_channels))
        and bank.shape[1] == weight.shape[1] + 1 + contrasts.shape[1]
        and 1 <= float(settings[0]) <= len(bank)
        and float(settings[1]) > 0
        and bool((contrasts[1] > 0).all())
    )


def in_words(rule: OutsideRule) -> str:
    """Return what a flag means, as text.

    >>> in_words(OutsideRule(score="nearest-neighbour", threshold=0.4, num_held_out=200))
    'unlike the training images: farther from them than 99 % of held-out ones'
    """
    percentage = f"{100 * (1 - rule.fraction):g} %"
    if rule.score == "max-softmax":
        return f"unlike the training images: less confident than {percentage} of held-out ones"
    return f"unlike the training images: farther from them than {percentage} of held-out ones"
