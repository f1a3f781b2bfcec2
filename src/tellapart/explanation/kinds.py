"""Which kind of mistake it is, by figures that are calibrated on images with trusted labels.

Three figures of an image are compared with those of reference images: the validation split where
it is large enough, else training images, each without itself among its neighbours. The test split
is never the reference. How rare a figure is among them is a conformal p-value, ``(1 + the number of
reference images at least as extreme) / (1 + their number)`` (Vovk, Gammerman and Shafer,
"Algorithmic Learning in a Random World", 2005, section 2.2).

*unlike the training images*
    The distance to the 10th nearest training image is rare (Sun et al. 2022, see `neighbours`).
*two classes look alike here*
    The distance to the nearest training image of the true class, divided by the distance to that
    of the answer, is rarely so small: the "trust score" of Jiang et al., "To Trust Or Not To Trust
    A Classifier", NeurIPS 2018, section 2.
*label probably wrong*
    Neither is rare, all 10 nearest training images have the answered class (Wilson, "Asymptotic
    Properties of Nearest Neighbor Rules Using Edited Data", 1972), and the answer is at least as
    probable as for the least sure tenth of the reference images of that class (a threshold per
    class as in confident learning: Northcutt, Jiang and Chuang, 2021, section 3.1).
*other*
    None of these. A picture without a known truth is then called *nothing unusual*.

Rare is a p-value of at most 1 %. If the first two are both rare, the rarer one is the kind, and the
second one in a tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tellapart.wording import percent

LABEL, UNLIKE, ALIKE = (
    "label probably wrong",
    "unlike the training images",
    "two classes look alike here",
)
OTHER, USUAL = "other", "nothing unusual"
NUM_NEIGHBOURS = 10
RARE = 0.01
_LEAST_SURE = 0.1


@dataclass(frozen=True)
class Reference:
    """The figures of images with trusted labels.

    Args:
        split: ``validation`` or ``train``.
        distances: to the 10th nearest training image, (n,).
        ratios: the distance to the nearest other class over that to the own class, (n,).
        probabilities: of the own class, (n,).
        labels: int64 (n,).
    """

    split: str
    distances: Tensor
    ratios: Tensor
    probabilities: Tensor
    labels: Tensor

    @property
    def num_images(self) -> int:
        """How many images there are to compare with."""
        return len(self.labels)

    @property
    def is_large_enough(self) -> bool:
        """Whether anything can be called rare: the smallest p-value is ``1 / (1 + images)``."""
        return 1 / (1 + self.num_images) <= RARE

    @property
    def name(self) -> str:
        """What the images are called in a sentence."""
        return {"train": "training images"}.get(self.split, f"{self.split} images")

    def least_probability(self, label: int) -> float:
        """The probability that nine tenths of the images of a class reach; 1 if there is none."""
        own = self.probabilities[self.labels == label]
        return float(own.double().quantile(_LEAST_SURE)) if len(own) else 1.0


@dataclass(frozen=True)
class Kind:
    """A kind of mistake with the figures behind it.

    Args:
        name: one of the names of this module.
        because: one sentence with the figure that decided.
        distance: to the 10th nearest training image.
        distance_p: how rare so large a distance is.
        class_ratio: the distance to the other class over that to the answered class.
        class_ratio_p: how rare so small a ratio is.
        agreeing: how many of the nearest training images have the answered class.
    """

    name: str
    because: str
    distance: float
    distance_p: float
    class_ratio: float | None
    class_ratio_p: float
    agreeing: int

    def to_json(self) -> dict[str, Any]:
        """Return the kind, the reason and the figures."""
        return {
            "kind": self.name,
            "because": self.because,
            "figures": {
                "distance": self.distance,
                "distance_p": self.distance_p,
                "class_ratio": self.class_ratio,
                "class_ratio_p": self.class_ratio_p,
                "agreeing_neighbours": self.agreeing,
            },
        }


def ratios_of(to_classes: Tensor, labels: Tensor) -> Tensor:
    """Return the distance to the nearest other class over that to ``labels``, (images,)."""
    own = to_classes.gather(1, labels[:, None])
    other = to_classes.scatter(1, labels[:, None], torch.inf).amin(1)
    return other / own.squeeze(1).clamp_min(1e-6)


def kind_of(
    reference: Reference,
    *,
    names: tuple[str, str],
    answer: int,
    is_truth: bool,
    probability: float,
    neighbour_labels: Tensor,
    distance: float,
    to_answer: float,
    to_other: float,
) -> Kind:
    """Return the kind of one image.

    Args:
        reference: the figures to compare with.
        names: of the answered and of the other class.
        answer: the answered class.
        is_truth: whether the other class is the true one, and not the runner-up.
        probability: of the answer.
        neighbour_labels: int64 (k,), of the nearest training images.
        distance: to the last of them.
        to_answer: the distance to the nearest training image of the answered class.
        to_other: the same of the other class.
    """
    ratio = to_other / max(to_answer, 1e-6)
    count = len(reference.distances) + 1
    distance_p = (1 + int((reference.distances >= distance).sum())) / count
    ratio_p = (1 + int((reference.ratios <= ratio).sum())) / count
    k, agreeing = len(neighbour_labels), int((neighbour_labels == answer).sum())
    least = reference.least_probability(answer)
    if min(distance_p, ratio_p) <= RARE:
        name = UNLIKE if distance_p < ratio_p else ALIKE
    elif is_truth and agreeing == k and probability >= least:
        name = LABEL
    else:
        name = OTHER if is_truth else USUAL
    answered, other = names
    of_all = f"of the {reference.name}"
    neighbours = f"{agreeing} of its {k} nearest training images are {answered}"
    because = {
        UNLIKE: f"its {k}th nearest training image is {distance:.2f} away, and only "
        f"{_rare(distance_p)} {of_all} are as far from theirs",
        ALIKE: f"the nearest {other} is {to_other:.2f} away and the nearest {answered} "
        f"{to_answer:.2f}; only {_rare(ratio_p)} {of_all} have another class so near",
        LABEL: f"{neighbours}, and its probability, {percent(probability, 1)}, is as high as that "
        f"of nine tenths {of_all} of {answered} ({percent(least, 1)})",
        USUAL: f"{neighbours}; neither its distance to them nor that between classes is rare",
        OTHER: f"{neighbours}"
        + (
            f", but its probability is below that of nine tenths {of_all} of {answered} "
            f"({percent(least, 1)})"
            if agreeing == k
            else "; neither its distance to them nor that between classes is rare"
        ),
    }[name]
    return Kind(
        name,
        because,
        distance,
        distance_p,
        ratio if ratio < float("inf") else None,
        ratio_p,
        agreeing,
    )


def _rare(p: float) -> str:
    return percent(p, 2 if p < 0.001 else 1)
