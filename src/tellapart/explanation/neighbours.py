"""The training images that are nearest to an image by the network's features.

Features are the output layer's inputs, scaled to length 1; distances are Euclidean, in 0..2.

Source: Papernot and McDaniel, "Deep k-Nearest Neighbors: Towards Confident, Interpretable and
Robust Deep Learning", 2018, for the nearest training images as an explanation; Sun et al.,
"Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022, section 3, for features of
length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS_AT_A_TIME = 256


@dataclass(frozen=True)
class Found:
    """The neighbours of several images.

    Args:
        distances: of the nearest training images, the nearest first, float32 (images, k).
        indices: of these, in the train split, int64 (images, k).
        to_classes: the distance to the nearest training image of each class, infinite for a class
            without images, float32 (images, classes).
    """

    distances: Tensor
    indices: Tensor
    to_classes: Tensor


class Neighbours:
    """Finds the nearest training images.

    Args:
        features: of the training images, (n, features).
        labels: of the training images, int64 (n,).
        num_classes: the number of classes.
    """

    def __init__(self, features: Tensor, labels: Tensor, num_classes: int) -> None:
        self.labels = labels.cpu()
        self._features = torch.nn.functional.normalize(features.flatten(1))
        self._num_classes = num_classes

    def __len__(self) -> int:
        return len(self.labels)

    def find(self, features: Tensor, k: int, own: Tensor | None = None) -> Found:
        """Return the ``k`` nearest training images of each row.

        Args:
            features: (images, features).
            k: how many; at most as many as there are training images.
            own: int64 (images,), for images that are training images themselves: their indices,
                so that none is its own neighbour (leave one out).
        """
        queries = torch.nn.functional.normalize(features.flatten(1))
        k = min(k, len(self) - (own is not None))
        parts = []
        for start in range(0, len(queries), _ROWS_AT_A_TIME):
            rows = slice(start, start + _ROWS_AT_A_TIME)
            distances = torch.cdist(queries[rows], self._features)  # (images, n)
            if own is not None:
                distances.scatter_(1, own[rows, None], torch.inf)
            nearest = distances.topk(k, largest=False)
            to_classes = torch.full((len(distances), self._num_classes), torch.inf)
            to_classes.scatter_reduce_(1, self.labels.expand_as(distances), distances, "amin")
            parts.append((nearest.values, nearest.indices, to_classes))
        return Found(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
