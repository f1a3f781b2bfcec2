"""Explaining answered images: heat maps, neighbours and the kind of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tellapart.explanation.entries import Explained, MapPair, Neighbour
from tellapart.explanation.kinds import NUM_NEIGHBOURS, Kind, kind_of
from tellapart.explanation.methods import Method
from tellapart.explanation.neighbourhood import Neighbourhood, features_of
from tellapart.explanation.neighbours import Found
from tellapart.models.classifier import Classifier

NUM_SHOWN = 6


@dataclass(frozen=True)
class Answered:
    """An image with the classifier's answer and another class; see `Explained` for the fields."""

    image: Tensor
    answer: int
    probability: float
    other: int
    other_probability: float
    is_truth: bool = False
    index: int | None = None
    path: str | None = None


class Explainer:
    """Explains what a classifier answers.

    Args:
        classifier: in eval mode.
        around: the training images to compare with; None leaves out neighbours and kind.
    """

    def __init__(self, classifier: Classifier, around: Neighbourhood | None = None) -> None:
        self._classifier = classifier
        self._around = around

    def explain(
        self, answered: Sequence[Answered], methods: Sequence[Method]
    ) -> tuple[Explained, ...]:
        """Explain images, in their order."""
        if not answered:
            return ()
        images = torch.stack([entry.image for entry in answered])
        maps = self._maps(images, answered, methods)
        near = self._near(images)
        names = self._classifier.class_names
        return tuple(
            Explained(
                entry.image,
                names[entry.answer],
                entry.probability,
                names[entry.other],
                entry.other_probability,
                entry.is_truth,
                entry.index,
                entry.path,
                {name: pairs[number] for name, pairs in maps.items()},
                self._kind(entry, near, number) if near else None,
                self._neighbours(near, number) if near else (),
            )
            for number, entry in enumerate(answered)
        )

    def _maps(
        self, images: Tensor, answered: Sequence[Answered], methods: Sequence[Method]
    ) -> dict[str, list[MapPair]]:
        """For each method a pair of maps per image."""
        classes = torch.tensor([[entry.answer, entry.other] for entry in answered])
        pairs = {}
        for method in methods:
            found = method.explain(self._classifier, images, classes)
            gaps = [None] * len(images) if found.gaps is None else found.gaps.tolist()
            pairs[method.name] = [
                MapPair(answer, other, None if gap is None else (gap[0], gap[1]))
                for (answer, other), gap in zip(found.maps, gaps, strict=True)
            ]
        return pairs

    def _near(self, images: Tensor) -> Found | None:
        if self._around is None:
            return None
        features = features_of(self._classifier, images)
        return self._around.neighbours.find(features, NUM_NEIGHBOURS)

    def _kind(self, entry: Answered, near: Found, number: int) -> Kind:
        assert self._around is not None
        names = self._classifier.class_names
        to_classes = near.to_classes[number]
        return kind_of(
            self._around.reference,
            names=(names[entry.answer], names[entry.other]),
            answer=entry.answer,
            is_truth=entry.is_truth,
            probability=entry.probability,
            neighbour_labels=self._around.neighbours.labels[near.indices[number]],
            distance=float(near.distances[number, -1]),
            to_answer=float(to_classes[entry.answer]),
            to_other=float(to_classes[entry.other]),
        )

    def _neighbours(self, near: Found, number: int) -> tuple[Neighbour, ...]:
        assert self._around is not None
        train = self._around.train
        rows = zip(near.indices[number].tolist(), near.distances[number].tolist(), strict=True)
        return tuple(
            Neighbour(
                index,
                train.class_names[int(train.labels[index])],
                distance,
                train.images[index].cpu(),
            )
            for index, distance in list(rows)[:NUM_SHOWN]
        )
