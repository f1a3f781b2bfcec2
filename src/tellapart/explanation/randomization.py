"""Networks with random weights: a map that stays the same with them does not explain the network.

Layers are randomised from the input on, and the maps are compared with those of the trained
network: by the correlation of their ranks, and at the end, when all layers are random, by the rise
of their complexity, which is the entropy of a histogram of a map's values.

Sources: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, for the test. Hedström et
al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test",
XAI in Action workshop, NeurIPS 2023, for the order from the input on, and for the relative rise in
complexity between two networks only ("efficient MPRT").
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from tellapart.models.classifier import Classifier
from tellapart.runtime import generator

_NUM_BINS = 100  # of a map's histogram, as in the authors' code


def layers_with_weights(network: nn.Module) -> list[str]:
    """Return the names of the layers that have weights of their own, from the input on."""
    return [
        name
        for name, layer in network.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]


def randomized(classifier: Classifier, layers: list[str], *, seed: int = 0) -> Classifier:
    """Return a copy in which the weights of some layers are random; the classifier stays as it is.

    The values of each weight tensor are shuffled. So whatever was learned is gone, while their mean
    and std stay, and with them the scale of the features. That works for any kind of layer, and
    unlike a layer's initial weights it is never 0 everywhere.

    Args:
        classifier: on any device.
        layers: the names of layers of its network, some of `layers_with_weights`.
        seed: decides the order.
    """
    network = copy.deepcopy(classifier.network)
    with torch.no_grad():
        for name in layers:
            for own, weights in network.get_submodule(name).named_parameters(recurse=False):
                draws = generator(seed, "randomized", name, own)
                order = torch.randperm(weights.numel(), generator=draws).to(weights.device)
                weights.copy_(weights.flatten()[order].view_as(weights))
    return classifier.with_network(network).eval()


def complexity(maps: Tensor) -> Tensor:
    """Return the entropy of each map's histogram in nats, float64 (images,).

    The histogram has 100 bins from the smallest to the largest value, so the scale does not count.
    A map with a single value has the entropy 0.

    Args:
        maps: (images, height, width).
    """
    values = maps.flatten(1).double()
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    span = (high - low).where(high > low, torch.ones_like(high))
    bins = ((values - low) / span * _NUM_BINS).long().clamp(max=_NUM_BINS - 1)
    counts = values.new_zeros(len(values), _NUM_BINS).scatter_add_(1, bins, torch.ones_like(values))
    entropy: Tensor = torch.special.entr(counts / values.shape[1]).sum(1)
    return entropy


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return Spearman's rank correlation of each pair of rows, float64 (rows,).

    Equal values share their mean rank. The correlation with a row of one value only is not defined;
    it is taken as 1 for two such rows and as 0 otherwise.

    Args:
        first: (rows, values).
        second: (rows, values).
    """
    ranks = [_mean_ranks(values) for values in (first, second)]
    centred = [values - values.mean(1, keepdim=True) for values in ranks]
    norms = [values.norm(dim=1) for values in centred]
    product = norms[0] * norms[1]
    found: Tensor = (centred[0] * centred[1]).sum(1) / product.where(
        product > 0, torch.ones_like(product)
    )
    both_constant = ((norms[0] == 0) & (norms[1] == 0)).to(found.dtype)
    return found.where(product > 0, both_constant)


def _mean_ranks(values: Tensor) -> Tensor:
    """Ranks from 0 on, float64, equal values with their mean rank."""
    ranks = torch.empty(values.shape, dtype=torch.float64)
    for row, entries in enumerate(values):
        _, place, counts = entries.unique(return_inverse=True, return_counts=True)
        ends = counts.cumsum(0).double()
        ranks[row] = (ends - (counts + 1) / 2)[place]
    return ranks
