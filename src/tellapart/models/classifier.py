"""Preprocessing, network and class names as one module."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tellapart.config import Views
from tellapart.errors import ConfigError, ShapeError
from tellapart.models.blocks import ImageShape
from tellapart.models.decision import decide
from tellapart.models.ensemble import log_mean_probability
from tellapart.models.spec import ClassifierSpec, Normalization, OutsideRule
from tellapart.models.views import views_of

_MOST_VALUES_COUNTED = 2**27
_IMAGES_AT_A_TIME = 10_000


class Classifier(nn.Module):
    """A network with its preprocessing and class names, from uint8 images to logits.

    Args:
        network: float images (batch, channels, height, width) to logits (batch, classes).
        spec: its classes, shape of the images, normalisation, views and so on.
        references: what images are compared with by the rule ``spec.outside``, tensors by name, as
            `tellapart.trust.outside.rule` made them; saved with the classifier, not part of the
            network.

    Raises:
        ConfigError: a normalisation that float32 cannot hold.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> run = tellapart.train(settings=quick, shots=9).run
    >>> classifier = tellapart.load_classifier(run / "model.safetensors")
    >>> classifier(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).shape
    torch.Size([2, 10])
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        spec: ClassifierSpec,
        references: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.references = dict(references or {})
        normalization = spec.normalization
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

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, one per logit."""
        return self.spec.class_names

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height and width of the images that it was trained on."""
        channels, height, width = self.spec.image_shape
        return channels, height, width

    @property
    def views(self) -> Views:
        """The views of an image over which class probabilities are averaged."""
        return self.spec.views

    def with_network(self, network: nn.Module) -> Classifier:
        """Return the same preprocessing and names with another network; nothing is copied.

        The rule for images unlike the training images is left out: it was the old network's.
        """
        spec = dataclasses.replace(self.spec, outside=None)
        return Classifier(network, spec).to(self.scale.device)

    def with_views(self, views: Views) -> Classifier:
        """Return the same network, averaging over other views of an image; nothing is copied."""
        return self._with(views=views)

    def with_thresholds(self, thresholds: Mapping[str, float]) -> Classifier:
        """Return the same network, answering by other thresholds; nothing is copied.

        Raises:
            ConfigError: thresholds that a `ClassifierSpec` refuses.
        """
        return self._with(thresholds=thresholds)

    def with_temperature(self, temperature: float | None) -> Classifier:
        """Return the same network, with logits divided by another temperature; nothing is copied.

        Raises:
            ConfigError: a temperature that a `ClassifierSpec` refuses.
        """
        return self._with(temperature=temperature)

    def with_outside(
        self, rule: OutsideRule | None, references: Mapping[str, torch.Tensor]
    ) -> Classifier:
        """Return the same network, with another rule for images unlike the training images.

        Args:
            rule: the rule; None flags no image.
            references: what the rule compares images with.
        """
        spec = dataclasses.replace(self.spec, outside=rule)
        changed = Classifier(self.network, spec, references)
        return changed.to(self.scale.device).train(self.training)

    def _with(self, **changes: Any) -> Classifier:
        """Return the same network with another specification."""
        spec = dataclasses.replace(self.spec, **changes)
        changed = Classifier(self.network, spec, self.references)
        return changed.to(self.scale.device).train(self.training)

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the class that is answered for each image, int64 (batch,), by the thresholds.

        Args:
            logits: (batch, classes), those of this classifier.
        """
        return decide(logits, self.class_names, self.spec.thresholds)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise uint8 (batch, channels, height, width) to float32, channels last.

        Raises:
            ShapeError: images that are not uint8, or have other channels than the network.
        """
        self._require_images(images)
        return self._normalized(images)

    def _require_images(self, images: torch.Tensor) -> None:
        channels = self.image_shape[0]
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != channels:
            raise ShapeError(
                f"images must be uint8 (batch, {channels}, height, width), "
                f"got {images.dtype} {tuple(images.shape)}"
                + ("; for one image pass images[None]" if images.ndim == 3 else "")
            )

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        floats = pixels.to(torch.float32, memory_format=torch.channels_last)
        return torch.addcmul(self.shift, floats, self.scale)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map uint8 images (batch, channels, height, width) to logits (batch, classes).

        In training mode each image is used once, unchanged, and without the temperature. Otherwise
        the logits, those of the mean over the views, are divided by the temperature.
        """
        if self.training:
            return self.plain_logits(images)
        self._require_images(images)
        return self.logits_of_pixels(images)

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of pixels that need not be whole numbers, in eval mode.

        They can be differentiated with respect to the pixels, through normalisation, network, views
        and temperature. `forward` is the same for uint8 images.

        Args:
            pixels: (batch, channels, height, width) in 0..255, float32 or uint8.
        """
        if self.views == "plain":
            logits: torch.Tensor = self.network(self._normalized(pixels))
        else:
            seen = views_of(pixels, self.views)
            logits = log_mean_probability(self.network(self._normalized(view)) for view in seen)
        return logits if self.spec.temperature is None else logits / self.spec.temperature

    def plain_logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the network gives for the images: without other views and temperature."""
        logits: torch.Tensor = self.network(self.normalize(images))
        return logits


def measure_normalization(images: torch.Tensor) -> Normalization:
    """Return the mean and std per channel of uint8 images (n, channels, height, width), in 0..1.

    Counted by value (256 bins a channel), so that it is exact in integers and needs no float copy
    of the images. In a set of more than 2^27 values (60,000 images of 28x28 have a third of that)
    only every k-th image is counted: more would cost seconds and change no digit that matters.
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
