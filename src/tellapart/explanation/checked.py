"""What a check of heat maps found: per method, and for all methods together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tellapart.explanation.methods import Method
from tellapart.explanation.perturbation import NUM_STEPS, Curves
from tellapart.explanation.verdicts import FOLLOWS, Comparison, Interval, mean_with_interval


@dataclass(frozen=True)
class MapExample:
    """One image with the maps that were compared: uint8 (c, h, w), and by name (h, w)."""

    image: Tensor
    class_name: str
    maps: Mapping[str, Tensor]


@dataclass(frozen=True)
class Stage:
    """What is left of a map when the first layers are random.

    Args:
        num_layers: how many layers are random, from the input on.
        similarity: the rank correlation with the map of the trained network.
    """

    num_layers: int
    similarity: Interval


@dataclass(frozen=True)
class CheckedMethod:
    """What was measured about the maps of one method.

    Args:
        method: the method.
        curves: of its maps.
        random_curves: of the maps that it computes for the network with random weights, followed on
            the trained network.
        against: its maps compared with others, by the names of `verdicts.RULES`, in their order.
        complexity_rise: the relative rise in complexity when all weights are random.
        stages: with ever more random layers.
        failed: the rules that the method fails.
    """

    method: Method
    curves: Curves
    random_curves: Curves
    against: Mapping[str, Comparison]
    complexity_rise: Interval
    stages: tuple[Stage, ...]
    failed: tuple[str, ...]

    @property
    def differences(self) -> tuple[Comparison, ...]:
        """Its maps compared with random maps, its maps on random weights, and the edge detector."""
        return tuple(self.against.values())

    @property
    def verdict(self) -> str:
        """The first rule that the method fails, or that it follows the network."""
        return self.failed[0] if self.failed else FOLLOWS

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers; differences are this method's value minus the other's."""
        return {
            "method": self.method.name,
            "verdict": self.verdict,
            "follows_network": not self.failed,
            "failed": list(self.failed),
            "insertion": mean_with_interval(self.curves.insertion_area).to_json(),
            "deletion": mean_with_interval(self.curves.deletion_area).to_json(),
            "insertion_curve": self.curves.insertion.mean(0).tolist(),
            "deletion_curve": self.curves.deletion.mean(0).tolist(),
            "against": {name: found.to_json() for name, found in self.against.items()},
            "complexity_rise": self.complexity_rise.to_json(),
            "randomized": [
                {"num_layers": stage.num_layers, "similarity": stage.similarity.to_json()}
                for stage in self.stages
            ],
        }


@dataclass(frozen=True)
class NotChecked:
    """A method that cannot be computed for the network, and why."""

    method: Method
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return plain text."""
        return {
            "method": self.method.name,
            "verdict": None,
            "follows_network": None,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class MapCheck:
    """The check of several methods on the same images.

    Args:
        methods: in the order of the request.
        not_checked: those that cannot be computed for this network.
        others: the curves of random maps and of the edge detector, by name.
        examples: a few images with their maps.
        indices: of the checked images in the test split.
        num_randomized_images: how many of them networks with random weights were tried on.
        num_test_images: how many images the test split has.
        num_layers: how many layers have weights.
        grid: rows and columns of the cells that are covered.
    """

    methods: tuple[CheckedMethod, ...]
    not_checked: tuple[NotChecked, ...]
    others: Mapping[str, Curves]
    examples: tuple[MapExample, ...]
    indices: tuple[int, ...]
    num_randomized_images: int
    num_test_images: int
    num_layers: int
    grid: tuple[int, int]

    @property
    def num_images(self) -> int:
        """How many images were checked."""
        return len(self.indices)

    @property
    def following(self) -> tuple[CheckedMethod, ...]:
        """The methods that follow the network."""
        return tuple(checked for checked in self.methods if not checked.failed)

    def to_json(self) -> dict[str, Any]:
        """Return the key ``check`` of ``explain --json``."""
        return {
            "num_images": self.num_images,
            "num_randomized_images": self.num_randomized_images,
            "num_test_images": self.num_test_images,
            "num_layers": self.num_layers,
            "fractions": [step / NUM_STEPS for step in range(NUM_STEPS + 1)],
            "cells": list(self.grid),
            "methods": [
                *(checked.to_json() for checked in self.methods),
                *(entry.to_json() for entry in self.not_checked),
            ],
            "others": {
                name: {
                    "insertion": mean_with_interval(curves.insertion_area).to_json(),
                    "deletion": mean_with_interval(curves.deletion_area).to_json(),
                    "insertion_curve": curves.insertion.mean(0).tolist(),
                    "deletion_curve": curves.deletion.mean(0).tolist(),
                }
                for name, curves in self.others.items()
            },
        }
