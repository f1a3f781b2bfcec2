"""Networks of timm, "PyTorch Image Models", without weights. An extra: ``pretrained``.

timm needs torchvision, of which there is no processor build in the usual place, so nothing else in
this package touches either; here timm is imported when one of its networks is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.models.blocks import ImageShape, features_shape, named

PREFIX = "timm:"


def build_timm(name: str, shape: ImageShape, num_classes: int) -> nn.Sequential:
    """The network that timm calls ``name``, with random weights, for images of ``shape``.

    Raises:
        ConfigError: no timm, no such network, or one that cannot take these images.
    """
    timm = import_timm(name)
    backbone = timm.create_model(name, pretrained=False, in_chans=shape[0], num_classes=0)
    try:
        return with_output(backbone, shape, num_classes)
    except (RuntimeError, AssertionError, ValueError) as error:
        # By an assertion timm tells that a transformer takes one size of image only.
        raise ConfigError(
            f"timm's {name!r} cannot take images of (channels, height, width) {shape}: "
            f"{str(error).splitlines()[0]}"
        ) from None


def import_timm(name: str) -> Any:
    """The module timm, which has a network called ``name``.

    Raises:
        ConfigError: timm cannot be imported, or has no such network.
    """
    try:
        timm = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise _no_timm(f"timm cannot be imported, for {error.name} is missing") from None
        raise _no_timm("timm is not installed") from None
    except Exception as error:
        # A torchvision that does not fit torch fails in many ways when timm imports it.
        raise _no_timm(f"timm cannot be imported ({str(error).splitlines()[0]})") from None
    if not timm.is_model(name):
        near = timm.list_models(f"*{name}*")[:3]
        hint = f"did you mean {', '.join(near)}?" if near else "see timm.list_models()"
        raise ConfigError(f"timm has no network {name!r}; {hint}")
    return timm


def with_output(backbone: nn.Module, shape: ImageShape, num_classes: int) -> nn.Sequential:
    """A network of timm without its last layer, and an ``output`` layer in its place.

    Raises:
        ValueError: a backbone that gives no row of features an image.
    """
    # Measured: what a network of timm reports of its features is not what all of them give.
    found = features_shape(backbone, shape)
    if len(found) != 1:
        raise ValueError(f"it gives features of shape {found}, not one row an image")
    return named(backbone=backbone, output=nn.Linear(found[0], num_classes))


def _no_timm(reason: str) -> ConfigError:
    return ConfigError(
        f"a source timm:NAME needs timm and a torchvision that fits torch {torch.__version__}, and "
        f'{reason}; pip install "tellapart[pretrained]", or fine-tune a run or a classifier file'
    )
