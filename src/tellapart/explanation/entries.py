"""One explained image: the answer, the other class, heat maps, neighbours and kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tellapart.explanation.kinds import Kind


@dataclass(frozen=True)
class Neighbour:
    """A training image: its index in the train split, its class, its distance, its pixels."""

    index: int
    label: str
    distance: float
    image: Tensor


@dataclass(frozen=True)
class MapPair:
    """The maps of one method for the answered and for the other class, each (height, width).

    ``gaps`` are their completeness gaps as fractions; None for a method without one.
    """

    answer: Tensor
    other: Tensor
    gaps: tuple[float, float] | None = None


@dataclass(frozen=True)
class Explained:
    """An image with all that speaks for its answer and for another class.

    Args:
        image: uint8 (channels, height, width).
        answer: the name of the answered class.
        probability: of the answer.
        other: the name of the true class, or of the runner-up where the truth is not known.
        other_probability: of that class.
        is_truth: whether ``other`` is the true class.
        index: in the test split; None for a picture.
        path: of the picture; None for an image of the test split.
        maps: by the name of the method.
        kind: which kind of mistake it is; None without training images to compare with.
        nearest: the nearest training images, the nearest first.
    """

    image: Tensor
    answer: str
    probability: float
    other: str
    other_probability: float
    is_truth: bool
    index: int | None = None
    path: str | None = None
    maps: Mapping[str, MapPair] = field(default_factory=dict)
    kind: Kind | None = None
    nearest: tuple[Neighbour, ...] = ()

    @property
    def place(self) -> str:
        """Where the image is: its path, or its index in the test split."""
        return self.path if self.path is not None else f"test image {self.index}"

    @property
    def role(self) -> str:
        """What the other class is: ``truth`` or ``runner_up``."""
        return "truth" if self.is_truth else "runner_up"

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``explain --json``."""
        return {
            **({"index": self.index} if self.path is None else {"path": self.path}),
            "answer": self.answer,
            "probability": self.probability,
            "truth": self.other if self.is_truth else None,
            self.role: self.other,
            f"{self.role}_probability": self.other_probability,
            **(self.kind.to_json() if self.kind else {"kind": None}),
            "nearest": [
                {"index": near.index, "label": near.label, "distance": near.distance}
                for near in self.nearest
            ],
            "completeness_gaps": {
                name: {"answer": pair.gaps[0], self.role: pair.gaps[1]}
                for name, pair in self.maps.items()
                if pair.gaps
            },
        }


@dataclass(frozen=True)
class NotExplained:
    """A picture that could not be explained, and why.

    Args:
        path: of the picture.
        reason: the message of the error, or that there is nothing to see.
        found: False where a drawing was expected and the page is blank, which is no error.
    """

    path: str
    reason: str
    found: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``explain --json``."""
        error = self.reason if self.found else None
        return {"path": self.path, "error": error, "found": self.found}
