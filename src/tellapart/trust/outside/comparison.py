"""A classifier's own images beside images of another kind: what an examination found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tellapart.evaluation.metrics import wilson_interval
from tellapart.trust.outside.separation import Separation, measure_separation


@dataclass(frozen=True)
class InsideLooking:
    """An outside image that looks like the training images.

    Args:
        index: its place among the outside images of its source.
        path: its file; None for arrays.
        score: the default score, lower than that of the other outside images.
        label: the name of the class that the classifier answers.
        probability: of that class, in 0..1.
    """

    index: int
    path: str | None
    score: float
    label: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers."""
        return dict(vars(self))


@dataclass(frozen=True)
class Flagged:
    """How many of some images a threshold flags, and the 95 % interval of the fraction."""

    count: int
    num_images: int

    @property
    def fraction(self) -> float:
        """The fraction that is flagged, in 0..1."""
        return self.count / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """Its Wilson interval at 95 %."""
        return wilson_interval(self.count, self.num_images)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return {"flagged": self.fraction, "flagged_interval": list(self.interval)}


@dataclass(frozen=True)
class OutsideSource:
    """The outside images of one source.

    Args:
        name: what they are called.
        num_images: how many there are.
        separations: by the name of the score, the default first.
        flagged: how many the classifier's rule flags; None where it has no rule.
        inside_looking: those that look most like the training images, the most alike first.
    """

    name: str
    num_images: int
    separations: Mapping[str, Separation]
    flagged: Flagged | None
    inside_looking: tuple[InsideLooking, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, dicts, text and numbers."""
        return {
            "data": self.name,
            "num_images": self.num_images,
            **default_of(self.separations).to_json(),
            **(self.flagged.to_json() if self.flagged else {}),
            "scores": _scores_to_json(self.separations),
            "most_inside_looking": [image.to_json() for image in self.inside_looking],
        }


@dataclass(frozen=True)
class OutsideComparison:
    """Inside images, those of the classifier's kind, beside all outside images.

    Args:
        score: the name of the classifier's score, the default.
        threshold: the score from which on it flags an image; None where it has no rule.
        inside: what the inside images are called.
        num_inside: how many there are.
        inside_flagged: how many of them the rule flags; None where there is no rule.
        separations: by the name of the score, the default first; of all outside images together.
        sources: the outside images by source.
    """

    score: str
    threshold: float | None
    inside: str
    num_inside: int
    inside_flagged: Flagged | None
    separations: Mapping[str, Separation]
    sources: tuple[OutsideSource, ...]

    @property
    def num_outside(self) -> int:
        """The number of outside images."""
        return sum(source.num_images for source in self.sources)

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, dicts, text and numbers."""
        return {
            "score": self.score,
            "threshold": self.threshold,
            **default_of(self.separations).to_json(),
            "scores": _scores_to_json(self.separations),
            "inside": {
                "data": self.inside,
                "num_images": self.num_inside,
                **(self.inside_flagged.to_json() if self.inside_flagged else {}),
            },
            "sources": [source.to_json() for source in self.sources],
        }


def default_of(separations: Mapping[str, Separation]) -> Separation:
    """Return the separation by the default score, which is the first."""
    return next(iter(separations.values()))


def _scores_to_json(separations: Mapping[str, Separation]) -> list[dict[str, Any]]:
    return [
        {"score": name, "is_default": place == 0, **separation.to_json()}
        for place, (name, separation) in enumerate(separations.items())
    ]


def separations_of(
    inside: Mapping[str, Tensor], outside: Sequence[Mapping[str, Tensor]]
) -> Mapping[str, Separation]:
    """Measure every score on all outside images together.

    Args:
        inside: by the name of the score, (images,).
        outside: the same for each source.
    """
    return {
        name: measure_separation(scores, torch.cat([source[name] for source in outside]))
        for name, scores in inside.items()
    }


def flagged(scores: Tensor, threshold: float | None) -> Flagged | None:
    """Count the images whose score exceeds the threshold; None without one."""
    if threshold is None:
        return None
    return Flagged(int((scores > threshold).sum()), len(scores))
