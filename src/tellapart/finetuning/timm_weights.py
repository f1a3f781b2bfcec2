"""Weights of timm's networks in a file, or in a folder as the hub distributes them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.models.blocks import ImageShape
from tellapart.models.spec import Normalization
from tellapart.wording import listed

_CONFIG = "config.json"
_FILES_OF_FOLDER = ("model.safetensors", "pytorch_model.bin")
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_TAKES = (
    "--weights takes a .safetensors, a .pth of tensors only, or a folder with a config.json and "
    "model.safetensors or pytorch_model.bin"
)
# Arguments in a config.json that repeat what its other entries or the tensors' shapes determine.
_REPEATED_ARGUMENTS = ("in_chans", "num_classes", "img_size", "global_pool")
# The largest side that is taken for the size of an image and not for a mistake.
_MAX_SIDE = 4096
_NUM_NAMED = 3


@dataclass(frozen=True)
class InputForm:
    """The form of the images that weights were trained on.

    ``image_shape`` is (channels, height, width).
    """

    image_shape: ImageShape
    normalization: Normalization


def input_form(settings: Mapping[str, Any], origin: str) -> InputForm:
    """Read ``input_size``, ``mean`` and ``std`` of timm's settings of a network.

    Args:
        settings: ``pretrained_cfg`` of a network or of a ``config.json``.
        origin: names the settings in messages.

    Raises:
        ClassifierFileError: a key that is missing, or a value that is no size or normalisation.
    """
    missing = [key for key in ("input_size", "mean", "std") if settings.get(key) is None]
    if missing:
        raise ClassifierFileError(
            f"{origin}: pretrained_cfg has no {' and no '.join(missing)}, so the form of the "
            "images is unknown; add them as the weights were trained, e.g. "
            '"input_size": [3, 224, 224], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]'
        )
    size = settings["input_size"]
    is_list = isinstance(size, (list, tuple)) and len(size) == 3
    if not is_list or not all(type(side) is int and 1 <= side <= _MAX_SIDE for side in size):
        raise ClassifierFileError(
            f"{origin}: input_size must be [channels, height, width], got {size!r}"
        )
    channels, height, width = size
    try:
        mean, std = (tuple(map(float, settings[key])) for key in ("mean", "std"))
        normalization = Normalization(mean, std)
    except (TypeError, ValueError, ConfigError) as error:
        raise ClassifierFileError(f"{origin}: mean and std: {error}") from None
    if len(mean) not in (1, channels):
        raise ClassifierFileError(
            f"{origin}: mean and std must have one number per channel, {channels}, got {len(mean)}"
        )
    return InputForm((channels, height, width), normalization)


def read_config(folder: Path, name: str) -> InputForm:
    """Read the form of the images from a folder's ``config.json``, which must be of network `name`.

    Raises:
        ClassifierFileError: no such file, another network, a network built with other arguments,
            or no form of the images.
    """
    path = folder / _CONFIG
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ClassifierFileError(
            f"folder {folder} has no {_CONFIG}, which gives size and normalisation of the images; "
            "give the weights file itself to use those that timm knows"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ClassifierFileError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ClassifierFileError(f"{path} must be a JSON object, got {type(config).__name__}")
    # Older folders of timm hold the settings themselves.
    settings = config.get("pretrained_cfg", config)
    if "architecture" not in config or not isinstance(settings, dict):
        raise ClassifierFileError(
            f"{path} has no architecture or no pretrained_cfg, so it is not in timm's format; "
            f"take the folder of timm/{name} on the hub, or give the weights file itself"
        )
    architecture = name.partition(".")[0]
    if config["architecture"] != architecture:
        raise ClassifierFileError(
            f"{path} is of network {config['architecture']!r}, not of {architecture!r}; "
            f"fine-tune timm:{config['architecture']}"
        )
    _check_arguments(path, config.get("model_args") or {})
    return input_form(settings, str(path))


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a weights file, or of the one in a folder; no code of the file is run.

    Raises:
        ClassifierFileError: no such file, one of another kind, damaged, or with more than tensors.
    """
    path = _file_of_folder(path) if path.is_dir() else path
    if path.suffix not in _SUFFIXES:
        raise ClassifierFileError(f"{path} is no weights file that is read; {_TAKES}")
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ClassifierFileError(f"{path} does not exist; {_TAKES}") from None
    except pickle.UnpicklingError:
        raise ClassifierFileError(
            f"{path} is damaged or holds more than tensors, and code in a weights file is never "
            "run; save the network's state_dict() alone, best as .safetensors"
        ) from None
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ClassifierFileError(
            f"{path} cannot be read as weights ({reason}); copy it again"
        ) from None
    return _only_tensors(path, content)


def load_weights(
    backbone: Any, name: str, tensors: Mapping[str, torch.Tensor], origin: Path
) -> None:
    """Takes the last layer off a network of timm, and loads all its other weights, in place.

    Args:
        backbone: built by timm, with its last layer.
        name: as timm calls it, for messages.
        tensors: by timm's names; those of the last layer may be there or not, of any shape.
        origin: the file or folder, for messages.

    Raises:
        ClassifierFileError: tensors that are missing, unknown or of another shape.
    """
    whole = backbone.state_dict().keys()
    heads = backbone.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))
    backbone.reset_classifier(0)
    wanted = backbone.state_dict()
    last_layer = whole - wanted.keys() | {key for key in tensors if key.startswith(prefixes)}
    given = {
        key: tensor for key, tensor in tensors.items() if key in wanted or key not in last_layer
    }
    # Counted since torch 0.4.1 and not used in evaluation: older files lack it.
    absent = [k for k in wanted if k not in given and not k.endswith(".num_batches_tracked")]
    faults = {
        "missing": absent,
        "unknown": [key for key in given if key not in wanted],
        "of another shape": [
            f"{key} {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
            for key, tensor in wanted.items()
            if key in given and given[key].shape != tensor.shape
        ],
    }
    if any(faults.values()):
        published = backbone.pretrained_cfg.get("hf_hub_id") or f"timm/{name}"
        found = "; ".join(
            f"{kind}: {listed(names, _NUM_NAMED)}" for kind, names in faults.items() if names
        )
        raise ClassifierFileError(
            f"{origin} does not hold the weights of timm's {name!r}. Tensors {found}. "
            f"Give those of {published} on the hub"
        )
    backbone.load_state_dict(given, strict=False)


def _file_of_folder(folder: Path) -> Path:
    found = [folder / name for name in _FILES_OF_FOLDER if (folder / name).is_file()]
    if not found:
        raise ClassifierFileError(f"folder {folder} has no {' and no '.join(_FILES_OF_FOLDER)}")
    return found[0]


def _only_tensors(path: Path, content: Any) -> dict[str, torch.Tensor]:
    others = (
        [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
        if isinstance(content, Mapping)
        else []
    )
    if not isinstance(content, Mapping) or others:
        holds = f"entries {listed(others, _NUM_NAMED)}" if others else type(content).__name__
        raise ClassifierFileError(
            f"{path} must hold tensors by name and nothing else, and holds {holds}; "
            "save the network's state_dict() alone"
        )
    return dict(content)


def _check_arguments(path: Path, arguments: Any) -> None:
    others = [key for key in arguments if key not in _REPEATED_ARGUMENTS]
    if others:
        raise ClassifierFileError(
            f"{path}: model_args has {listed(others, _NUM_NAMED)}, which change the network, and "
            "timm:NAME is the network without changes; give the weights file itself if its weights "
            "are for that one"
        )
