"""Grad-CAM: which positions of the last feature maps a class depends on.

``map = relu(sum_k a_k A_k)``, where ``A_k`` are the feature maps of a layer and ``a_k`` is the
gradient of the class's score with respect to ``A_k``, averaged over its positions. The map has the
layer's resolution and is enlarged bilinearly, so it shows regions and no outlines.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, section 3, equations 1 and 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tellapart.errors import ConfigError
from tellapart.evaluation.predicting import evaluation_mode
from tellapart.models.capture import Activation, captured


def layer_with_positions(network: nn.Module, inputs: Tensor) -> str | None:
    """Return the name of the last layer whose output has more than one position, or None.

    "Last" is by the order in which layers finish, among those that the logits depend on. A layer
    within a block is earlier than the block.

    Args:
        network: normalised images (batch, channels, height, width) to logits (batch, classes).
        inputs: an example of such images, of at least one image.
    """
    inputs = inputs[:1].detach().clone().requires_grad_()
    with evaluation_mode(network), torch.enable_grad(), captured(network) as seen:
        scores = network(inputs)
    candidates = [call for call in seen if _has_positions(call)]
    if not candidates:
        return None
    gradients = torch.autograd.grad(
        scores.sum(), [call.tensor for call in candidates], allow_unused=True
    )
    used = [
        call.name
        for call, gradient in zip(candidates, gradients, strict=True)
        if gradient is not None
    ]
    return used[-1] if used else None


def grad_cam(
    network: nn.Module, inputs: Tensor, targets: Tensor, layer: str | None = None
) -> Tensor:
    """Return a map for each image and class, at least 0, of the size of the images.

    Args:
        network: normalised images (batch, channels, height, width) to logits (batch, classes).
        inputs: float32 (batch, channels, height, width), normalised.
        targets: int64 (batch, k), the classes that are explained for each image.
        layer: the name of the layer; None is `layer_with_positions`.

    Returns:
        float32 (batch, k, height, width).

    Raises:
        ConfigError: a network none of whose layers has positions.
    """
    layer = layer or layer_with_positions(network, inputs)
    if layer is None:
        raise ConfigError(
            "grad-cam needs a layer with positions, such as a convolution, and this network has "
            "none; use --method occlusion or --method integrated-gradients"
        )
    inputs = inputs.detach().clone().requires_grad_()  # also where all weights are frozen
    with evaluation_mode(network), torch.enable_grad(), captured(network, [layer]) as seen:
        scores = network(inputs).gather(1, targets).sum(0)  # (k,): images do not see one another
    # A layer that is used twice counts where it last had positions.
    features = [call for call in seen if _has_positions(call)][-1].tensor
    maps = []
    for score in scores:
        [gradient] = torch.autograd.grad(score, features, retain_graph=True)
        weights = gradient.mean((2, 3), keepdim=True)  # (batch, channels, 1, 1)
        maps.append((weights * features.detach()).sum(1).relu())
    size = (inputs.shape[2], inputs.shape[3])
    return nn.functional.interpolate(torch.stack(maps, 1), size, mode="bilinear")


def _has_positions(call: Activation) -> bool:
    tensor = call.tensor
    return tensor.ndim == 4 and tensor.shape[2] * tensor.shape[3] > 1 and tensor.requires_grad
