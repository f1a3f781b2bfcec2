"""Prediction sets: classes, as few as can be, of which one is the true one with a chosen chance.

Split conformal prediction. On images that the network was not fitted to, each class of an image has
a score, low where the class is likely; a set holds the classes whose score is at most the
``ceil((n + 1) c)``-th smallest score of the true classes of ``n`` such images. For new images that
come from the same source, independently or in any order (exchangeable), it holds the true class
with a chance of at least ``c``, whatever the network.

Sources: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; LAC: Sadinle,
Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels", 2019; APS:
Romano, Sesia and Candes, "Classification with Valid and Adaptive Coverage", 2020; RAPS:
Angelopoulos et al., "Uncertainty Sets for Image Classifiers using Conformal Prediction", 2021.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from tellapart.errors import ConfigError, DataError
from tellapart.evaluation.metrics import checked_logits
from tellapart.wording import did_you_mean, listed, plural

SetMethod = Literal["lac", "aps", "raps"]
"""``lac``: the smallest sets on average; ``aps``: larger sets for harder images; ``raps``: the
same, with a penalty for many classes."""

# The penalty of RAPS for each class beyond the first few: the values of the paper, section 3.
_PENALTY, _NUM_FREE = 0.01, 5
# (n + 1) c is a whole number for round figures, and must not be rounded up to the next.
_SLACK = 1e-9


def class_scores(logits: Tensor, method: SetMethod, temperature: float = 1.0) -> Tensor:
    """Return the score of every class of every image, low where the class is likely.

    ``lac``: ``1 - p``. ``aps``: the sum of all higher probabilities, and of a part of the class's
    own, which is drawn for each image: without that, a network that is nearly always sure would get
    sets of many classes. ``raps``: the same plus 0.01 for each rank beyond the fifth.

    Args:
        logits: floating point (images, classes).
        method: one of the three.
        temperature: what the logits are divided by.

    Returns:
        float64 (images, classes).
    """
    probabilities = (logits.double() / temperature).softmax(1)
    if method == "lac":
        return 1 - probabilities
    ordered, order = probabilities.sort(stable=True, dim=1, descending=True)
    scores = ordered.cumsum(1) - drawn_numbers(logits)[:, None] * ordered
    if method == "raps":
        beyond = torch.arange(1, scores.shape[1] + 1, dtype=torch.float64) - _NUM_FREE
        scores = scores + _PENALTY * beyond.clamp(min=0)
    return torch.empty_like(scores).scatter_(1, order, scores)


def drawn_numbers(logits: Tensor) -> Tensor:
    """Return a number for each image that is as good as drawn evenly from 0..1: float64 (images,).

    It follows from the image's logits, rounded to hundredths, so that an image always has the same
    set, whatever other images it is predicted with.

    Args:
        logits: floating point (images, classes).
    """
    rounded = (100 * logits.double()).round().to(torch.int64).numpy()
    digests = (hashlib.blake2b(row.tobytes(), digest_size=6).digest() for row in rounded)
    return torch.tensor(
        [int.from_bytes(digest, "big") / 2**48 for digest in digests], dtype=torch.float64
    )


@dataclass(frozen=True)
class PredictionSets:
    """The rule by which images get their sets; made by `calibrate_sets`.

    Args:
        method: how classes are scored.
        coverage: the fraction of images whose set is to hold the true class.
        per_class: whether that is promised for each class by itself.
        thresholds: float64 (classes,), the highest score with which a class is in a set; all the
            same unless ``per_class``.
        num_calibration: for each class the number of images that it was calibrated on.
        temperature: what logits are divided by before they are scored.
    """

    method: SetMethod
    coverage: float
    per_class: bool
    thresholds: Tensor
    num_calibration: tuple[int, ...]
    temperature: float = 1.0

    def members(self, logits: Tensor) -> Tensor:
        """Return which classes are in the set of each image: bool (images, classes).

        Logits are those that `calibrate_sets` takes, without a temperature.

        A set is never empty: one that would be holds the most probable class, which can only raise
        the chance that it holds the true one.
        """
        inside = self._are_low(logits)
        is_empty, top = ~inside.any(1), logits.argmax(1)
        inside[is_empty, top[is_empty]] = True
        return inside

    def would_be_empty(self, logits: Tensor) -> Tensor:
        """Return for which images no class has a low enough score: bool (images,)."""
        return ~self._are_low(logits).any(1)

    def _are_low(self, logits: Tensor) -> Tensor:
        return class_scores(logits, self.method, self.temperature) <= self.thresholds


def calibrate_sets(
    logits: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    coverage: float,
    method: SetMethod = "lac",
    *,
    per_class: bool = False,
    temperature: float | None = None,
) -> PredictionSets:
    """Return the rule that gives sets of the wanted coverage, from images not trained on.

    Args:
        logits: floating point (images, classes), of images that the network was not fitted to,
            without a temperature.
        labels: int64 (images,).
        class_names: one per column of ``logits``.
        coverage: between 0 and 1.
        method: how classes are scored.
        per_class: promise the coverage for the images of each class by themselves (Mondrian), which
            takes as many images of each class as else of all together.
        temperature: the classifier's. Sums of probabilities (``aps``, ``raps``) are of use only if
            the probabilities are true. For ``lac`` it changes next to nothing and is not used, so
            that images to which it was fitted are used for the sets alone.

    Raises:
        ConfigError: a coverage outside 0..1, or an unknown method.
        DataError: too few images for the coverage, overall or of a class.
        ShapeError, DivergedError: as `evaluate_logits`.

    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0]] * 40)
    >>> sets = calibrate_sets(logits, torch.tensor([0, 1, 1] * 40), ("ant", "bee"), 0.9)
    >>> sets.members(logits[:3]).sum(1).tolist()
    [1, 1, 2]
    """
    require_coverage(coverage)
    if method not in get_args(SetMethod):
        known = get_args(SetMethod)
        raise ConfigError(
            f"sets must be {listed(known)}, got {method!r}{did_you_mean(str(method), known)}"
        )
    logits, labels = checked_logits(logits, labels)
    scale = 1.0 if method == "lac" or temperature is None else temperature
    scores = class_scores(logits, method, scale).gather(1, labels[:, None]).squeeze(1)
    counts = torch.bincount(labels, minlength=logits.shape[1]).tolist()
    _require_enough(dict(zip(class_names, counts, strict=True)), coverage, per_class=per_class)
    if per_class:
        own = [_quantile(scores[labels == label], coverage) for label in range(len(counts))]
        thresholds = torch.tensor(own, dtype=torch.float64)
    else:
        thresholds = torch.full((len(counts),), _quantile(scores, coverage), dtype=torch.float64)
    return PredictionSets(method, coverage, per_class, thresholds, tuple(counts), scale)


def require_coverage(coverage: float) -> None:
    """Refuse a coverage that is not between 0 and 1.

    Raises:
        ConfigError: such a coverage.
    """
    if not 0 < coverage < 1:
        raise ConfigError(
            f"coverage must be a fraction between 0 and 1, got {coverage:g}; 0.99 gives sets that "
            "hold the true class 99 times of 100"
        )


def rank_for(num_images: int, coverage: float) -> int:
    """Return which of so many scores, the smallest first, is the threshold: from 1 on.

    It is more than ``num_images`` where there are too few.
    """
    return math.ceil((num_images + 1) * coverage - _SLACK)


def fewest_images(coverage: float) -> int:
    """Return how many images a coverage takes at least: 99 for 0.99.

    >>> fewest_images(0.99), fewest_images(0.9), fewest_images(0.5)
    (99, 9, 1)
    """
    return max(1, math.ceil(coverage / (1 - coverage) - _SLACK))


def _quantile(scores: Tensor, coverage: float) -> float:
    return float(scores.sort().values[rank_for(len(scores), coverage) - 1])


def _require_enough(counts: Mapping[str, int], coverage: float, *, per_class: bool) -> None:
    needed, total = fewest_images(coverage), sum(counts.values())
    level = f"a coverage of {coverage:g}"
    more = "train it with a larger data.validation_fraction, or ask for a lower coverage"
    if not per_class and total < needed:
        raise DataError(
            f"{level} needs at least {plural(needed, 'image')} that the run was not trained on, "
            f"and it has {total:,}; {more}"
        )
    few = [f"{name!r} has {count:,}" for name, count in counts.items() if count < needed]
    if per_class and few:
        raise DataError(
            f"{level} for each class needs at least {plural(needed, 'image')} of each that the run "
            f"was not trained on, and {listed(few, 5)}; {more}, or leave out --per-class"
        )
