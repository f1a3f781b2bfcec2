"""Pretrained networks of timm as a source to fine-tune. An extra: ``timm``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.finetuning.timm_hub import with_published_weights
from tellapart.finetuning.timm_weights import (
    InputForm,
    input_form,
    load_weights,
    read_config,
    read_tensors,
)
from tellapart.models.classifier import Classifier
from tellapart.models.spec import ClassifierSpec
from tellapart.models.timm_networks import PREFIX, import_timm, with_output

__all__ = ["PREFIX", "load_pretrained"]

_OTHERWISE = (
    ". Or use `tellapart finetune imagenet DATA`, which needs neither timm nor torchvision: "
    'pip install "tellapart[pretrained]"'
)


def load_pretrained(name: str, weights: Path | None = None) -> Classifier:
    """Load a network of timm with trained weights, as a source for fine-tuning.

    Image shape and normalisation are those of its training. The output layer is all zeros and its
    classes have no names, so it cannot predict before it is fine-tuned. The same weights give the
    same bytes in every process; the global generator stays as it was.

    Args:
        name: as timm calls it, e.g. ``resnet18.a1_in1k``.
        weights: a ``.safetensors``; a ``.pth`` that holds tensors only; or a folder as the hub
            distributes it, whose ``config.json`` gives image shape and normalisation. None takes
            the published weights from the hub's cache, or downloads them.

    Raises:
        ConfigError: no timm, no such network, or weights that are neither in the cache nor can be
            downloaded.
        ClassifierFileError: weights that cannot be read or are another network's, or a folder that
            does not give the form of its images.
    """
    timm = import_timm(name, _OTHERWISE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone, form = _trained(timm, name, weights)
        try:
            network = with_output(backbone, form.image_shape, 2)
        except (RuntimeError, AssertionError, ValueError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ConfigError(f"timm's {name!r} is no source to fine-tune: {reason}") from None
    for weight in network.get_submodule("output").parameters():
        nn.init.zeros_(weight)
    spec = ClassifierSpec(
        network=f"{PREFIX}{name}",
        class_names=("0", "1"),
        image_shape=form.image_shape,
        normalization=form.normalization,
    )
    return Classifier(network, spec)


def _trained(timm: Any, name: str, weights: Path | None) -> tuple[Any, InputForm]:
    """The network with trained weights and without its last layer, and the form of its images."""
    if weights is None:
        backbone = with_published_weights(timm, name)
        backbone.reset_classifier(0)
        return backbone, input_form(backbone.pretrained_cfg, f"timm's settings of {name!r}")
    weights = weights.expanduser()
    form = read_config(weights, name) if weights.is_dir() else None
    tensors = read_tensors(weights)
    if form is not None:
        backbone = timm.create_model(name, pretrained=False, in_chans=form.image_shape[0])
    else:
        backbone = timm.create_model(name, pretrained=False)
        form = input_form(backbone.pretrained_cfg, f"timm's settings of {name!r}")
    load_weights(backbone, name, tensors, weights)
    return backbone, form
