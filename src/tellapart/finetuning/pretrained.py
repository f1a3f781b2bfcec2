"""Published weights of timm's networks, as a source to fine-tune. An extra: ``pretrained``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.models.classifier import Classifier
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.models.timm_networks import PREFIX, import_timm, with_output

__all__ = ["PREFIX", "load_pretrained"]


def load_pretrained(name: str, weights_file: Path | None = None) -> Classifier:
    """Load a network of timm with trained weights, as a source for fine-tuning.

    Image shape and normalisation are those of its training. The output layer is random and its
    classes have no names, so it cannot predict before it is fine-tuned.

    Args:
        name: as timm calls it, e.g. ``resnet18.a1_in1k``.
        weights_file: ``.safetensors``, or a ``.pth`` that holds tensors only; None fetches the
            published weights.

    Raises:
        ConfigError: no timm, no such network, or no network connection to fetch its weights by.
        ClassifierFileError: weights that cannot be read or are another network's.
    """
    timm = import_timm(name)
    if weights_file is None:
        backbone = _fetched(timm, name)
    else:
        backbone = timm.create_model(name, pretrained=False)
        _load_file(backbone, weights_file)
    settings: Mapping[str, Any] = backbone.pretrained_cfg
    channels, height, width = settings.get("input_size", (3, 224, 224))
    shape = (int(channels), int(height), int(width))
    backbone.reset_classifier(0)
    network = with_output(backbone, shape, 2)
    return Classifier(
        network,
        ClassifierSpec(
            network=f"{PREFIX}{name}",
            class_names=("0", "1"),
            image_shape=shape,
            normalization=Normalization(
                tuple(map(float, settings.get("mean", (0.5,)))),
                tuple(map(float, settings.get("std", (0.5,)))),
            ),
        ),
    )


def _fetched(timm: Any, name: str) -> Any:
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:
        # The hub's client raises errors of many types: no connection, no such file, a proxy.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"the weights of timm's {name!r} cannot be fetched ({reason}); without a network give "
            "them with --weights FILE"
        ) from None


def _load_file(backbone: nn.Module, path: Path) -> None:
    try:
        if path.suffix == ".safetensors":
            tensors = safetensors.torch.load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ClassifierFileError(f"{path} does not exist; --weights takes a file") from None
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ClassifierFileError(f"{path} cannot be read as weights: {reason}") from None
    try:
        backbone.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ClassifierFileError(f"{path} does not hold the weights asked for: {reason}") from None
