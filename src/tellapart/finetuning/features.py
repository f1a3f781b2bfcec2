"""The features of images: the input of a network's output layer, computed once and kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from tellapart.data.cache_folder import user_cache
from tellapart.errors import RunError
from tellapart.evaluation import predict_logits
from tellapart.evaluation.predicting import images_at_a_time
from tellapart.files import make_folder, write_whole
from tellapart.finetuning.stages import output_layer
from tellapart.models.capture import captured
from tellapart.models.checkpoint import weights_sha256
from tellapart.models.classifier import Classifier
from tellapart.runtime import Runtime

# Called with (images done, images in all).
Progress = Callable[[int, int], None]
_BATCHES_PER_REPORT = 4


def output_features(
    classifier: Classifier,
    images: torch.Tensor,
    device: torch.device,
    *,
    autocast: Callable[[], AbstractContextManager[Any]] | None = None,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The output layer's input for each image: float32 (images, inputs), on the CPU.

    The features are those of the image itself, not of other views.

    Args:
        classifier: on ``device``.
        images: uint8 (images, channels, height, width).
        device: where the classifier is.
        autocast: makes the precision context of one batch; None computes in the weights' type.
        progress: called now and then.
    """
    plain = classifier.with_views("plain")
    layer = output_layer(classifier.network)
    features = []
    step = _BATCHES_PER_REPORT * images_at_a_time(images.shape)
    for start in range(0, len(images), step):
        with captured(
            classifier.network, [layer], inputs=True, keep=lambda given: given.float().cpu()
        ) as seen:
            part = images[start : start + step]
            predict_logits(plain, part, device=device, autocast=autocast)
        features += [activation.tensor for activation in seen]
        if progress is not None:
            progress(min(start + step, len(images)), len(images))
    return torch.cat(features).clone()  # outside inference mode, so that autograd accepts it


def cached_features(
    classifier: Classifier,
    images: torch.Tensor,
    runtime: Runtime,
    *,
    mirrored: bool = False,
    progress: Progress | None = None,
) -> torch.Tensor:
    """:func:`output_features`, kept in the user's cache for the same network and images.

    Args:
        classifier: on the device of ``runtime``.
        images: uint8 (images, channels, height, width).
        runtime: device and precision.
        mirrored: of the images' mirror images.
        progress: called now and then while features are computed.
    """
    file = _cache_file(classifier, images, runtime, mirrored=mirrored)
    with contextlib.suppress(OSError, safetensors.SafetensorError, KeyError):
        kept = safetensors.torch.load_file(file)["features"]
        if len(kept) == len(images):
            return kept
    given = images.flip(-1) if mirrored else images
    features = output_features(
        classifier, given, runtime.device, autocast=runtime.autocast, progress=progress
    )
    # A cache that cannot be written costs time at the next run and nothing else.
    with contextlib.suppress(RunError, OSError):
        make_folder(file.parent)
        write_whole(file, safetensors.torch.save({"features": features}))
    return features


def _cache_file(
    classifier: Classifier, images: torch.Tensor, runtime: Runtime, *, mirrored: bool
) -> Path:
    """The file whose name is a digest of all that the features depend on."""
    output = output_layer(classifier.network)
    own = {id(tensor) for tensor in output.state_dict(keep_vars=True).values()}
    weights = {
        name: tensor
        for name, tensor in classifier.network.state_dict(keep_vars=True).items()
        if id(tensor) not in own
    }
    key = {
        "network": classifier.spec.network,
        "arguments": dict(classifier.spec.arguments),
        "normalization": asdict(classifier.spec.normalization),
        "weights": weights_sha256(weights),
        "shape": list(images.shape),
        "precision": runtime.precision,
        "device": runtime.device.type,
        "mirrored": mirrored,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode())
    for part in torch.split(images, 1000):
        digest.update(part.cpu().contiguous().numpy().data)
    return user_cache() / "features" / f"{digest.hexdigest()}.safetensors"
