"""Preprocessing, network and class names as one module: what is trained is what is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from tellapart.config import Scalar, Views
from tellapart.data.images.drawing import DrawingStyle
from tellapart.data.preparation import Fit
from tellapart.errors import ConfigError, ShapeError
from tellapart.models.blocks import ImageShape
from tellapart.models.ensemble import log_mean_probability
from tellapart.models.views import views_of

_MOST_VALUES_COUNTED = 2**27
_IMAGES_AT_A_TIME = 10_000


@dataclass(frozen=True)
class Normalization:
    """``(pixel / 255 - mean) / std``, per channel; mean and std of pixels in 0..1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Classifier(nn.Module):
    """A network that takes uint8 pictures and gives logits, and knows its classes.

    Args:
        network: float pictures (batch, channels, height, width) to logits (batch, classes).
        network_name: its name in the zoo, and
        arguments: the arguments it was built with: what a file needs to build it again.
        class_names: one per logit.
        image_shape: channels, height and width of the pictures it was trained on.
        normalization: one mean and std for all channels, or one per channel.
        fit: how picture files of another aspect were made to fit, and are to be.
        style: how its pictures are drawn, where they are drawings on a plain ground.
        views: of a picture, over which its class probabilities are averaged; while training it sees
            each picture once. May be set anew at any time.

    Raises:
        ConfigError: where the normalisation has neither one number nor one per channel, or
            numbers that float32 cannot hold.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        network_name: str,
        arguments: Mapping[str, Scalar],
        class_names: tuple[str, ...],
        image_shape: ImageShape,
        normalization: Normalization,
        fit: Fit = "pad",
        style: DrawingStyle | None = None,
        views: Views = "plain",
    ) -> None:
        super().__init__()
        channels = image_shape[0]
        if len(normalization.mean) not in (1, channels):
            raise ConfigError(
                f"normalization must have one mean and std for all channels, or one for each "
                f"of the {channels}; got {len(normalization.mean)}"
            )
        self.network = network
        self.network_name = network_name
        self.arguments = dict(arguments)
        self.class_names = class_names
        self.image_shape = image_shape
        self.normalization = normalization
        self.fit = fit
        self.style = style
        self.views = views
        mean = torch.tensor(normalization.mean, dtype=torch.float64).view(1, -1, 1, 1)
        std = torch.tensor(normalization.std, dtype=torch.float64).view(1, -1, 1, 1)
        # One multiplication and one addition per pixel instead of three operations. They follow
        # from the normalisation in the file's header, so the file does not hold them twice.
        self.register_buffer("scale", (1 / (255 * std)).float(), persistent=False)
        self.register_buffer("shift", (-mean / std).float(), persistent=False)
        if not bool((self.scale.isfinite() & self.shift.isfinite()).all()):
            raise ConfigError(
                f"normalization must stay finite in float32, got mean {normalization.mean} and "
                f"std {normalization.std}; give those of pixels in 0..1"
            )

    def with_network(self, network: nn.Module) -> Classifier:
        """The same preprocessing and names around another network; nothing is copied."""
        return Classifier(
            network,
            network_name=self.network_name,
            arguments=self.arguments,
            class_names=self.class_names,
            image_shape=self.image_shape,
            normalization=self.normalization,
            fit=self.fit,
            style=self.style,
            views=self.views,
        ).to(self.scale.device)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (batch, channels, height, width) to float32 of the same shape, channels last.

        Raises:
            ShapeError: where pictures are not uint8 or have other channels than the network.
        """
        channels = self.image_shape[0]
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != channels:
            raise ShapeError(
                f"images must be uint8 (batch, {channels}, height, width), "
                f"got {images.dtype} {tuple(images.shape)}"
                + ("; for one image pass images[None]" if images.ndim == 3 else "")
            )
        floats = images.to(torch.float32, memory_format=torch.channels_last)
        return torch.addcmul(self.shift, floats, self.scale)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 pictures (batch, channels, height, width) to logits (batch, classes)."""
        if self.training or self.views == "plain":
            return self.plain_logits(images)
        seen = views_of(images, self.views)
        return log_mean_probability(self.plain_logits(view) for view in seen)

    def plain_logits(self, images: torch.Tensor) -> torch.Tensor:
        """As `forward`, for the pictures as they are, whatever the classifier's views."""
        logits: torch.Tensor = self.network(self.normalize(images))
        return logits


def measure_normalization(images: torch.Tensor) -> Normalization:
    """Per-channel mean and std of uint8 pictures (n, channels, height, width), in 0..1.

    Counted by value (256 bins a channel), so that it is exact in integers and needs no float copy
    of the pictures. Of a set of more than 2^27 values (60,000 pictures of 28x28 have a third of
    that) every k-th picture is counted: more would change no digit that matters and cost seconds.
    A channel that never changes gets std 1: it is shifted, not divided by 0.
    """
    images = images[:: 1 + images.numel() // _MOST_VALUES_COUNTED]
    means, stds = [], []
    values = torch.arange(256, dtype=torch.float64)
    for channel in range(images.shape[1]):
        counts = sum(
            torch.bincount(part[:, channel].reshape(-1), minlength=256)
            for part in torch.split(images, _IMAGES_AT_A_TIME)
        )
        counts = torch.as_tensor(counts).double().cpu()
        mean = (counts * values).sum() / counts.sum()
        std = ((counts * (values - mean) ** 2).sum() / counts.sum()).sqrt()
        means.append(float(mean) / 255)
        stds.append(float(std) / 255 or 1.0)
    return Normalization(tuple(means), tuple(stds))
