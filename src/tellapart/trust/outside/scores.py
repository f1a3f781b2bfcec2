"""Scores for images of a kind that a classifier was not trained on: higher is more unlike.

Each takes what the network computes for images: ``features``, the input of its output layer,
(images, inputs), or ``logits``, its output, (images, classes). Each returns float64 (images,).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Rows at a time: a block of similarities to 2,000 reference images is then 16 MB.
_ROWS_AT_A_TIME = 1000


def max_softmax_score(logits: Tensor) -> Tensor:
    """Return minus the highest class probability, ``-max softmax(logits)``.

    Source: D. Hendrycks and K. Gimpel, "A Baseline for Detecting Misclassified and
    Out-of-Distribution Examples in Neural Networks", ICLR 2017.
    """
    return -logits.double().softmax(1).max(1).values


def energy_score(logits: Tensor) -> Tensor:
    """Return the free energy, ``-log sum exp(logits)``, at temperature 1.

    Source: W. Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020.
    """
    return -logits.double().logsumexp(1)


@dataclass(frozen=True)
class NearestNeighbours:
    """The distance to the k-th nearest training image, ``|z - z_(k)|``.

    With `directions` of features as points it is the score of Y. Sun et al., "Out-of-Distribution
    Detection with Deep Nearest Neighbors", ICML 2022.

    Args:
        bank: (reference images, coordinates), the points of training images.
        k: which neighbour counts, from 1 to the number of reference images.
    """

    bank: Tensor
    k: int

    @classmethod
    def fit(cls, points: Tensor, k: int) -> NearestNeighbours:
        """Keep the points (images, coordinates) as the bank; fewer than k of them lower k."""
        return cls(points, min(k, len(points)))

    def score(self, points: Tensor) -> Tensor:
        """Score images by their points (images, coordinates)."""
        # In float64: between neighbours the square is a difference of nearly equal numbers.
        bank = self.bank.double()
        squares_of_bank = (bank**2).sum(1)
        distances = []
        for part in torch.split(points.double(), _ROWS_AT_A_TIME):
            own = (part**2).sum(1, keepdim=True)
            squares = own + squares_of_bank - 2 * part @ bank.T  # (images, reference images)
            distances.append(squares.kthvalue(self.k, dim=1).values.clamp(min=0).sqrt())
        return torch.cat(distances)


def directions(features: Tensor) -> Tensor:
    """Scale features (images, inputs) to length 1; a row of zeros stays as it is."""
    return normalize(features, dim=1, eps=1e-12)


@dataclass(frozen=True)
class VirtualLogit:
    """Virtual-logit matching (ViM): how far features are from the training images' main directions.

    ``alpha |r(x)| - log sum exp(logits)``, where ``r(x)`` is the part of ``x - origin`` outside the
    span of the ``d`` main directions of the training features, ``origin = -W^+ b`` the point where
    the output layer's logits are smallest in the sense of least squares, and ``alpha`` makes the
    virtual logit of training images as large on average as their highest logit.
    Source: H. Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", CVPR 2022.

    Args:
        origin: float64 (inputs,).
        directions: float64 (inputs, d), orthonormal columns.
        alpha: the scale of the virtual logit.
    """

    origin: Tensor
    directions: Tensor
    alpha: float

    @classmethod
    def fit(
        cls, features: Tensor, logits: Tensor, weight: Tensor, bias: Tensor | None, d: int
    ) -> VirtualLogit:
        """Find the main directions of training images and the scale.

        Args:
            features: (images, inputs).
            logits: (images, classes), of the same images.
            weight: (classes, inputs), of the output layer.
            bias: (classes,), of the output layer; None where it has none.
            d: how many main directions there are; fewer than inputs.

        Cost: an eigendecomposition of an (inputs, inputs) matrix.
        """
        weight = weight.detach().double()
        shift = torch.zeros(len(weight)).double() if bias is None else bias.detach().double()
        origin = -torch.linalg.pinv(weight) @ shift
        centred = features.double() - origin
        # Eigenvalues rise, so the last d eigenvectors are the main directions.
        vectors = torch.linalg.eigh(centred.T @ centred / len(centred)).eigenvectors
        directions = vectors[:, len(origin) - d :]
        residual = _residual(centred, directions)
        alpha = float(logits.double().max(1).values.mean() / residual.mean())
        return cls(origin, directions, alpha)

    def score(self, features: Tensor, logits: Tensor) -> Tensor:
        """Score images by their features (images, inputs) and logits (images, classes)."""
        virtual = self.alpha * _residual(features.double() - self.origin, self.directions)
        return virtual + energy_score(logits)


def _residual(centred: Tensor, directions: Tensor) -> Tensor:
    """Return the length of what is outside the span of the directions, (images,)."""
    outside: Tensor = (centred - centred @ directions @ directions.T).norm(dim=1)
    return outside
