"""An output layer from the mean feature of each class; one image per class is enough.

``logit_c = scale * (m_c . x - |m_c|^2 / 2)`` is a linear layer and, up to a term that is the same
for all classes, ``-scale / 2`` times the squared distance of the features x to the class's mean
m_c. Source: Snell et al., "Prototypical Networks for Few-shot Learning", 2017, section 2.4.
"""

from __future__ import annotations

import torch

# How far a class's mean feature gets its own logit above the others, on average: confident of what
# it has seen, and still far from where the softmax has no gradient left.
_MARGIN = 5.0


def prototypes(
    features: torch.Tensor, labels: torch.Tensor, num_classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (classes, inputs) and bias (classes,) of the layer whose answer is the nearest mean.

    Args:
        features: float32 (images, inputs).
        labels: int64 (images,); every class has an image.
        num_classes: of the layer.
    """
    sums = torch.zeros(num_classes, features.shape[1]).index_add_(0, labels, features)
    means = sums / torch.bincount(labels, minlength=num_classes)[:, None]
    # Moving all features by one vector changes no distance, and keeps the layer's numbers small.
    centre = means.mean(0)
    around = means - centre
    scale = _MARGIN / float(around.square().sum(1).mean().clamp_min(1e-12))
    return scale * around, -scale * (around @ centre + around.square().sum(1) / 2)
