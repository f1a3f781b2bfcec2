"""Networks of timm, "PyTorch Image Models", without weights. An extra: ``timm``.

timm needs torchvision, of which there is no processor build in the usual place, so nothing else in
this package touches either; here timm is imported when one of its networks is asked for.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.models.blocks import ImageShape, features_shape, named
from tellapart.wording import did_you_mean, listed

PREFIX = "timm:"
_INSTALL = 'pip install "tellapart[timm]"'


def build_timm(name: str, shape: ImageShape, num_classes: int) -> nn.Sequential:
    """Build the network that timm calls ``name``, with random weights, for images of ``shape``.

    Raises:
        ConfigError: no timm, no such network, or one that cannot take these images.
    """
    timm = import_timm(name)
    backbone = timm.create_model(name, pretrained=False, in_chans=shape[0], num_classes=0)
    try:
        return with_output(backbone, shape, num_classes)
    except (RuntimeError, AssertionError, ValueError) as error:
        # A transformer of timm reports by an assertion that it takes one size of image only.
        _, height, width = backbone.pretrained_cfg["input_size"]
        raise ConfigError(
            f"timm's {name!r} cannot take images of (channels, height, width) {shape}: "
            f"{_first_line(error).rstrip('.')}; it was trained on {width}x{height}: for image "
            f"files set data.size={max(height, width)}"
        ) from None


def import_timm(name: str, otherwise: str = "") -> Any:
    """Import timm, and check that it has a network called ``name``.

    Args:
        name: as timm calls it, with or without the tag of its weights.
        otherwise: what else a person can do where timm cannot be imported; ends the message.

    Returns:
        The module.

    Raises:
        ConfigError: timm cannot be imported, or has no such network or no such tag.
    """
    try:
        timm = importlib.import_module("timm")
    except Exception as error:
        # What torchvision raises where it does not fit torch depends on the releases of both.
        reason = _why_not_imported(error)
        raise ConfigError(f"network '{PREFIX}{name}' needs timm, {reason}{otherwise}") from None
    architecture, _, tag = name.partition(".")
    if not timm.is_model(name):
        near = timm.list_models(f"*{architecture}*")[:3]
        hint = (
            f"; did you mean {' or '.join(near)}?"
            if near
            else did_you_mean(architecture, timm.list_models(), "timm.list_models() lists them")
        )
        raise ConfigError(f"timm {_version('timm')} has no network {name!r}{hint}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        tagged = listed(timm.list_pretrained(f"{architecture}.*")) or "none"
        raise ConfigError(
            f"timm {_version('timm')} has no weights {tag!r} of {architecture!r}; known: {tagged}"
        ) from None
    return timm


def with_output(backbone: nn.Module, shape: ImageShape, num_classes: int) -> nn.Sequential:
    """Append an ``output`` layer to a network of timm that has lost its own last layer.

    Raises:
        ValueError: a backbone that does not give one row of features per image.
    """
    # Measured: not all networks of timm give as many features as they report.
    found = features_shape(backbone, shape)
    if len(found) != 1:
        raise ValueError(f"it gives features of shape {found}, not one row an image")
    return named(backbone=backbone, output=nn.Linear(found[0], num_classes))


def _why_not_imported(error: Exception) -> str:
    """The reason why timm cannot be imported, and what to install against it."""
    missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if missing == "timm":
        return f"which is not installed; {_INSTALL}"
    if missing == "torchvision":
        return (
            "and timm needs torchvision, which is not installed; install the torchvision of the "
            f"same release as torch {torch.__version__}, from the same place"
        )
    if missing and missing.partition(".")[0] not in ("timm", "torchvision"):
        return f"which cannot be imported because {missing!r} is not installed; {_INSTALL}"
    if _is_from_torchvision(error):
        return (
            f"and the installed torchvision {_version('torchvision')} does not fit torch "
            f"{torch.__version__} ({_first_line(error)}); install both again from one place and "
            "of one release: pytorch.org/get-started prints the command"
        )
    return (
        f"which is installed, {_version('timm')}, and cannot be imported "
        f'({type(error).__name__}: {_first_line(error)}); `python -c "import timm"` shows where'
    )


def _is_from_torchvision(error: Exception) -> bool:
    """Whether an import failed inside torchvision, or because something in it is missing."""
    trace = error.__traceback__
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == "torchvision":
            return True
        trace = trace.tb_next
    return "torchvision" in str(error)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(of unknown version)"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
