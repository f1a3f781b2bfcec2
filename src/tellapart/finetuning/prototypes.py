"""An output layer from the mean feature of each class; one image per class is enough.

``logit_c = scale * (m_c . x - |m_c|^2 / 2)`` is a linear layer and, up to a term that is the same
for all classes, ``-scale / 2`` times the squared distance of the features x to the class's mean
m_c. Source: Snell et al., "Prototypical Networks for Few-shot Learning", 2017, section 2.4.
"""

from __future__ import annotations

import torch
from torch import nn

from tellapart.data.image_set import ImageSet
from tellapart.errors import DataError
from tellapart.evaluation import predict_logits
from tellapart.finetuning.stages import output_layer
from tellapart.models.capture import captured
from tellapart.models.classifier import Classifier

# How far a class's mean feature gets its own logit above the others, on average: confident of what
# it has seen, and still far from where the softmax has no gradient left.
_MARGIN = 5.0


def set_prototypes(classifier: Classifier, train: ImageSet, device: torch.device) -> None:
    """Sets the output layer to the prototypes of ``train``, in place, in fp32.

    Args:
        classifier: on ``device``.
        train: at least one image of every class.
        device: where the classifier is.

    Raises:
        ConfigError: a network without an output layer.
        DataError: a class without an image.
    """
    empty = [name for name, n in zip(train.class_names, train.class_counts(), strict=True) if not n]
    if empty:
        raise DataError(
            f"a prototype needs an image of its class; there is none of {', '.join(empty[:5])}: "
            "set finetuning.head=new"
        )
    features = output_features(classifier, train.images, device)  # (images, inputs)
    labels = train.labels.cpu()
    sums = torch.zeros(train.num_classes, features.shape[1]).index_add_(0, labels, features)
    means = sums / torch.bincount(labels, minlength=train.num_classes)[:, None]
    # Moving all features by one vector changes no distance, and keeps the layer's numbers small.
    centre = means.mean(0)
    around = means - centre
    scale = _MARGIN / float(around.square().sum(1).mean().clamp_min(1e-12))
    layer = output_layer(classifier.network)
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, nn.Parameter)
    with torch.no_grad():
        weight.copy_(scale * around)
        if isinstance(bias, nn.Parameter):
            bias.copy_(-scale * (around @ centre + around.square().sum(1) / 2))


def output_features(
    classifier: Classifier, images: torch.Tensor, device: torch.device
) -> torch.Tensor:
    """The output layer's input for each image: float32 (images, inputs), on the CPU.

    The features are those of the image itself, not of other views.
    """
    plain = classifier.with_views("plain")
    layer = output_layer(classifier.network)
    with captured(
        classifier.network, [layer], inputs=True, keep=lambda features: features.float().cpu()
    ) as seen:
        predict_logits(plain, images, device=device)
    return torch.cat([activation.tensor for activation in seen])
