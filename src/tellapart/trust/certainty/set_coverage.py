"""What prediction sets are worth: how often they hold the true class, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from tellapart.evaluation.metrics import wilson_interval
from tellapart.trust.certainty.conformal import PredictionSets, SetMethod, rank_for

_SEED, _NUM_DRAWS = 0, 20_000
_NUM_LARGEST = 24


@dataclass(frozen=True)
class ClassCoverage:
    """The sets of the images of one class: how many, and how many hold the class."""

    name: str
    num_images: int
    num_covered: int
    coverage: float | None
    coverage_interval: tuple[float, float] | None
    mean_size: float | None
    num_calibration: int

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers."""
        interval = self.coverage_interval
        return {**asdict(self), "coverage_interval": list(interval) if interval else None}


@dataclass(frozen=True)
class SetCoverage:
    """How often sets hold the true class, and how large they are.

    Args:
        wanted: the coverage that was asked for.
        sets: how classes are scored.
        for_each_class: whether the coverage is promised for each class.
        calibrated_on: the images that the sets were calibrated on, and their number.
        num_calibration: see ``calibrated_on``.
        num_images: the images that are measured on.
        num_covered: how many of them have a set that holds the true class.
        coverage: the fraction of them.
        coverage_interval: its 95 % Wilson interval.
        promised_band: the fraction that sets of exactly this coverage show with 95 % chance on as
            many images, being calibrated on as many: the beta-binomial distribution.
        mean_size: the mean number of classes in a set.
        sizes: the number of images whose set has one class, two, and so on.
        num_filled: how many sets would be empty, and hold the most probable class.
        per_class: one entry for each class.
        largest: the images with the largest sets, by index, the largest first.
        promise: what is promised, in a sentence.
    """

    wanted: float
    sets: SetMethod
    for_each_class: bool
    calibrated_on: str
    num_calibration: int
    num_images: int
    num_covered: int
    coverage: float
    coverage_interval: tuple[float, float]
    promised_band: tuple[float, float]
    mean_size: float
    sizes: tuple[int, ...]
    num_filled: int
    per_class: tuple[ClassCoverage, ...]
    largest: tuple[int, ...]
    promise: str

    @property
    def verdict(self) -> str:
        """Whether these images have the coverage that is promised, in a sentence."""
        low, high = self.promised_band
        if self.coverage < low:
            return (
                "fewer sets hold the true class than was promised: these images are not like those "
                "that the sets were calibrated on"
            )
        if self.coverage > high and self.num_filled:
            return (
                "more sets hold the true class than was asked for, because a set is never empty: "
                f"{self.num_filled:,} would be"
            )
        if self.coverage > high:
            return "more sets hold the true class than was asked for"
        return "as promised, within what chance explains"

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, text and numbers."""
        content = {**asdict(self), "verdict": self.verdict}
        for name in ("coverage_interval", "promised_band", "sizes", "largest"):
            content[name] = list(content[name])
        content["per_class"] = [entry.to_json() for entry in self.per_class]
        return content


def measure_sets(
    sets: PredictionSets,
    logits: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    calibrated_on: str,
) -> SetCoverage:
    """Give sets to images and compare them with the true classes.

    Args:
        sets: the rule.
        logits: floating point (images, classes), of images that it was not calibrated on.
        labels: int64 (images,).
        class_names: one per column of ``logits``.
        calibrated_on: ``validation``, ``calibration`` or ``cross-validation``.
    """
    members = sets.members(logits)
    covered = members.gather(1, labels[:, None]).squeeze(1)
    sizes = members.sum(1)
    total, num_covered = len(labels), int(covered.sum())
    order = sizes.argsort(descending=True, stable=True)
    counts = sizes.bincount(minlength=len(class_names) + 1).tolist()
    largest = [index for index in order[:_NUM_LARGEST].tolist() if int(sizes[index]) > 1]
    return SetCoverage(
        wanted=sets.coverage,
        sets=sets.method,
        for_each_class=sets.per_class,
        calibrated_on=calibrated_on,
        num_calibration=sum(sets.num_calibration),
        num_images=total,
        num_covered=num_covered,
        coverage=num_covered / total,
        coverage_interval=wilson_interval(num_covered, total),
        promised_band=promised_band(sets, labels.bincount(minlength=len(class_names)).tolist()),
        mean_size=float(sizes.double().mean()),
        sizes=tuple(counts[1:]),
        num_filled=int(sets.would_be_empty(logits).sum()),
        per_class=tuple(
            _class_coverage(name, covered[labels == label], sizes[labels == label], number)
            for label, (name, number) in enumerate(
                zip(class_names, sets.num_calibration, strict=True)
            )
        ),
        largest=tuple(largest),
        promise=promise(sets, calibrated_on),
    )


def _class_coverage(name: str, covered: Tensor, sizes: Tensor, number: int) -> ClassCoverage:
    count, hits = len(covered), int(covered.sum())
    if not count:
        return ClassCoverage(name, 0, 0, None, None, None, number)
    interval = wilson_interval(hits, count)
    mean_size = float(sizes.double().mean())
    return ClassCoverage(name, count, hits, hits / count, interval, mean_size, number)


def promised_band(sets: PredictionSets, counts: Sequence[int]) -> tuple[float, float]:
    """Return the coverage of 95 % of calibrations and tests of this size.

    The coverage of sets that ``n`` images gave is ``Beta(k, n + 1 - k)`` with ``k = ceil((n + 1)
    c)``, so the number of ``m`` images covered is beta-binomial. Drawn 20,000 times with a fixed
    seed, so that it can be added up over classes.

    Args:
        sets: the rule.
        counts: the images of each class that are measured on.
    """
    generator = np.random.default_rng(_SEED)
    groups = (
        list(zip(sets.num_calibration, counts, strict=True))
        if sets.per_class
        else [(sum(sets.num_calibration), sum(counts))]
    )
    covered = np.zeros(_NUM_DRAWS)
    for num_calibration, count in groups:
        rank = rank_for(num_calibration, sets.coverage)
        chances = generator.beta(rank, num_calibration + 1 - rank, _NUM_DRAWS)
        covered += generator.binomial(count, chances)
    low, high = np.quantile(covered / sum(counts), [0.025, 0.975])
    return float(low), float(high)


def promise(sets: PredictionSets, calibrated_on: str) -> str:
    """Return what is promised of sets and what is not, in a sentence or two."""
    level = f"{100 * sets.coverage:.10g} %"
    whose = (
        "for the images of each class by themselves, and not for a single image"
        if sets.per_class
        else "for all images together, and not for each class or a single image"
    )
    sentence = (
        "Of new images from the same source as those that the sets were calibrated on, at least "
        f"{level} of the sets hold the true class, on average over calibrations. That is promised "
        f"{whose}, and not for images of another kind."
    )
    if sets.temperature != 1:
        sentence += (
            " Its temperature was fitted to the same images, which changes the coverage by less "
            "than can be measured."
        )
    if calibrated_on == "cross-validation":
        return (
            f"{sentence} Calibrated by cross-validation, with output layers that were fitted to "
            "four fifths of the images each, this holds nearly and not exactly."
        )
    if calibrated_on == "validation":
        return (
            f"{sentence} The validation split may also have decided when training stopped, which "
            "makes its images look a little easier than new ones."
        )
    return sentence
