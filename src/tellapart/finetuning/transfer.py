"""Loading the weights of a trained network into one for other images and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import interpolate

from tellapart.errors import ConfigError
from tellapart.finetuning.stages import output_name
from tellapart.models.blocks import ImageShape, features_shape
from tellapart.models.spec import Normalization
from tellapart.wording import plural


@dataclass(frozen=True)
class TensorTransfer:
    """How one tensor of the new network got its initial values.

    ``source_shape`` is None if the source has no tensor of that name; ``how`` is a short reason
    why it was adapted or is new, empty if it was loaded.
    """

    name: str
    shape: tuple[int, ...]
    source_shape: tuple[int, ...] | None
    outcome: Literal["loaded", "adapted", "new"]
    how: str = ""


@dataclass(frozen=True)
class ImageNetwork:
    """A network, and the shape (channels, height, width) of the images it is built for."""

    network: nn.Module
    image_shape: ImageShape


def transfer_weights(
    source: ImageNetwork, target: ImageNetwork, *, keep_output: bool = False
) -> list[TensorTransfer]:
    """Loads the weights of ``source`` into ``target``, a network of the same kind, in place.

    A tensor of the same shape is copied. The first layer's kernels are fitted to other channels
    (:func:`fit_channels`), the linear layer after a flatten to another size of image
    (:func:`fit_positions`). Anything else, and the output layer, stays as ``target`` has it.

    Args:
        source: trained.
        target: built for the new images and classes.
        keep_output: load the output layer too; the classes must be the same.

    Returns:
        One entry per tensor of ``target``, in its order.

    Raises:
        ConfigError: a network without an ``output`` layer, or none of whose weights fit.
    """
    # Both must have an output layer, or neither can be fine-tuned.
    _, output = (output_name(network) for network in (source.network, target.network))
    old, new = source.network.state_dict(), target.network.state_dict()
    loaded: dict[str, torch.Tensor] = {}
    entries = []
    for name, tensor in new.items():
        given = old.get(name)
        fitted: torch.Tensor | None = None
        if name.startswith(f"{output}.") and not keep_output:
            how = "for the new classes"
        elif given is None:
            how = "the source has none"
        elif given.shape == tensor.shape:
            fitted, how = given, ""
        else:
            fitted, how = _fit(given, tensor.shape, source, target)
        if fitted is not None:
            loaded[name] = fitted
        outcome: Literal["loaded", "adapted", "new"]
        outcome = "new" if fitted is None else "loaded" if fitted is given else "adapted"
        source_shape = None if given is None else tuple(given.shape)
        entries.append(TensorTransfer(name, tuple(tensor.shape), source_shape, outcome, how))
    if not loaded:
        raise ConfigError("nothing of the source fits this network; choose another source")
    target.network.load_state_dict(loaded, strict=False)
    return entries


def fit_channels(kernels: torch.Tensor, channels: int) -> torch.Tensor:
    """Kernels (outputs, inputs, height, width) for images of another number of channels.

    ``w'[:, j] = sum_i w[:, i] / channels``: from colour to grey the kernels are summed, from grey
    to colour repeated in equal parts. Either way a grey image gives what it gave before.
    """
    total = kernels.sum(1, keepdim=True)
    return (total / channels).repeat(1, channels, 1, 1)


def fit_positions(
    weight: torch.Tensor, features: tuple[int, ...], new_features: tuple[int, ...]
) -> torch.Tensor:
    """The matrix behind a flatten, for features of another height and width.

    Each output's weights are one map per channel; the maps are interpolated, and scaled by the
    number of positions, so that constant features give what they gave before.

    Args:
        weight: (outputs, channels * height * width).
        features: channels, height and width before the flatten.
        new_features: the same for the new network; with the same channels.

    Returns:
        (outputs, channels * new height * new width).
    """
    maps = weight.view(-1, *features)  # (outputs, channels, height, width)
    size = new_features[1:]
    scale = features[1] * features[2] / (size[0] * size[1])
    return interpolate(maps, size, mode="bilinear", align_corners=False).flatten(1) * scale


def fit_normalization(given: Normalization, channels: int) -> Normalization:
    """A normalisation for images of ``channels``: its own, or where they differ their mean."""
    if len(given.mean) in (1, channels):
        return given
    return Normalization((sum(given.mean) / len(given.mean),), (sum(given.std) / len(given.std),))


def _fit(
    given: torch.Tensor,
    shape: torch.Size,
    source: ImageNetwork,
    target: ImageNetwork,
) -> tuple[torch.Tensor | None, str]:
    """``given`` converted to another shape, and how; None if it cannot be converted."""
    old_channels, channels = source.image_shape[0], target.image_shape[0]
    if given.ndim == 4 and given.shape[1] == old_channels != channels == shape[1]:
        fitted = fit_channels(given, channels)
        if fitted.shape == shape:
            return fitted, f"{plural(old_channels, 'channel')} to {plural(channels, 'channel')}"
    if given.ndim == 2:
        old_features, features = _before_flatten(source), _before_flatten(target)
        if len(old_features) == len(features) == 3 and old_features[0] == features[0]:
            fitted = fit_positions(given, old_features, features)
            if fitted.shape == shape:
                return fitted, f"{_size(old_features)} positions to {_size(features)}"
    return None, "another shape in the source"


def _before_flatten(of: ImageNetwork) -> tuple[int, ...]:
    """The shape of one image's features where the network flattens them; none if it does not."""
    if not isinstance(of.network, nn.Sequential):
        return ()  # the order in which a person's own network runs its layers is not known
    layers = nn.Sequential().train(of.network.training)
    for name, layer in of.network.named_children():
        if name == "flatten":
            return features_shape(layers, of.image_shape)
        layers.add_module(name, layer)
    return ()


def _size(features: tuple[int, ...]) -> str:
    return f"{features[1]}x{features[2]}"
