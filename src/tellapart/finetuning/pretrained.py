"""Networks of timm, "PyTorch Image Models", with their published weights. An extra: ``pretrained``.

timm needs torchvision, of which there is no processor build in the usual place, so nothing else in
this package touches either; here timm is imported when one of its networks is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.models.blocks import features_shape, named
from tellapart.models.classifier import Classifier
from tellapart.models.spec import ClassifierSpec, Normalization

PREFIX = "timm:"


def build_timm(name: str, shape: tuple[int, int, int], num_classes: int) -> nn.Sequential:
    """The network that timm calls ``name``, with random weights, for pictures of ``shape``.

    Raises:
        ConfigError: no timm, no such network, or one that cannot take these pictures.
    """
    backbone = _create(name, pretrained=False, in_chans=shape[0], num_classes=0)
    try:
        return _with_output(backbone, shape, num_classes)
    except (RuntimeError, AssertionError, ValueError) as error:
        # timm says with an assertion that a transformer takes one size of picture only.
        raise ConfigError(
            f"timm's {name!r} cannot take pictures of (channels, height, width) {shape}: "
            f"{str(error).splitlines()[0]}"
        ) from None


def load_pretrained(name: str, weights_file: Path | None = None) -> Classifier:
    """A network of timm with trained weights, as a classifier to be fine-tuned.

    Its picture shape and normalisation are those it was trained with. Its output layer is random,
    and its classes are without names: it is a source, not a classifier to be asked.

    Args:
        name: as timm calls it, e.g. ``resnet18.a1_in1k``.
        weights_file: ``.safetensors``, or a ``.pth`` that holds tensors only; None fetches the
            published weights.

    Raises:
        ConfigError: no timm, no such network, or no network to fetch its weights by.
        ClassifierFileError: weights that cannot be read or are another network's.
    """
    backbone = _create(name, pretrained=weights_file is None)
    if weights_file is not None:
        _load_file(backbone, weights_file)
    settings: Mapping[str, Any] = backbone.pretrained_cfg
    channels, height, width = settings.get("input_size", (3, 224, 224))
    shape = (int(channels), int(height), int(width))
    backbone.reset_classifier(0)
    network = _with_output(backbone, shape, 2)
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


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            reason = f"timm cannot be imported, for {error.name} is missing"
        else:
            reason = "timm is not installed"
    except Exception as error:
        # A torchvision that does not fit torch fails in many ways when timm imports it.
        reason = f"timm cannot be imported ({str(error).splitlines()[0]})"
    raise ConfigError(
        f"a source timm:NAME needs timm and a torchvision that fits torch {torch.__version__}, and "
        f'{reason}; pip install "tellapart[pretrained]", or fine-tune a run or a classifier file'
    )


def _create(name: str, *, pretrained: bool, **arguments: Any) -> Any:
    timm = _timm()
    if not timm.is_model(name):
        near = timm.list_models(f"*{name}*")[:3]
        hint = f"did you mean {', '.join(near)}?" if near else "see timm.list_models()"
        raise ConfigError(f"timm has no network {name!r}; {hint}")
    try:
        return timm.create_model(name, pretrained=pretrained, **arguments)
    except Exception as error:
        if not pretrained:
            raise
        # Whatever the hub's client raises: no network, no such file, a proxy that says no.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"the weights of timm's {name!r} cannot be fetched ({reason}); without a network give "
            "them with --weights FILE"
        ) from None


def _with_output(
    backbone: nn.Module, shape: tuple[int, int, int], num_classes: int
) -> nn.Sequential:
    """A network of timm without its last layer, and an ``output`` layer in its place."""
    # Measured, for what a network of timm says of its features is not what all of them give.
    found = features_shape(backbone, shape)
    if len(found) != 1:
        raise ValueError(f"it gives features of shape {found}, not one row a picture")
    return named(backbone=backbone, output=nn.Linear(found[0], num_classes))


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
