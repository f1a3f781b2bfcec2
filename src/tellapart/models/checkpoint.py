"""The classifier file and the training state, both safetensors: loading runs no code from a file.

A classifier file holds the network's tensors and, in its header, one JSON text under the key
``tellapart``: format, network and arguments, class names, picture shape, normalisation, how picture
files are made to fit, the views that it answers by, and what is known of the training (recipe, data
fingerprint, version). A training state holds tensors under ``weights/``, ``best/`` and
``optimizer/``, and the rest as JSON in the same place.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast, get_args

import safetensors
import safetensors.torch
import torch
from torch import nn

from tellapart.config import Views
from tellapart.data.images.drawing import DrawingStyle
from tellapart.errors import ClassifierFileError, TellapartError
from tellapart.files import write_whole
from tellapart.models.classifier import Classifier, Normalization
from tellapart.models.registry import build_network

_FORMAT = 1
_KEY = "tellapart"
_LONGEST_SIDE = 65_536
_MOST_CLASSES = 1_000_000
# A drawing's longer side may be that many times the shorter side of its frame.
_LARGEST_FRACTION = 65_536.0


def weights_sha256(weights: Mapping[str, torch.Tensor]) -> str:
    """Hexadecimal SHA-256 over names, types, shapes and bytes of tensors, by sorted name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]
) -> None:
    """Writes tensors and a JSON header as one safetensors file, whole or not at all.

    Raises:
        RunError: where the file cannot be written.
    """
    # safetensors refuses channels_last tensors, so each is laid out plainly first.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    write_whole(path, safetensors.torch.save(plain, metadata={_KEY: text}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and header of a file that :func:`save_tensors` wrote.

    Raises:
        ClassifierFileError: no such file, damaged, truncated, or not written by tellapart.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if _KEY not in metadata:
                raise ClassifierFileError(
                    f"{path} is a safetensors file, but not one that tellapart wrote "
                    f"(its header has no {_KEY!r} entry)"
                )
            # A copy: the tensors that come out are windows on the file, and whoever writes over it
            # would change weights in use, or kill the process where the file became shorter.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ClassifierFileError(f"{path} does not exist") from None
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClassifierFileError(
            f"{path} is damaged, cut off, or no safetensors file ({reason}); "
            "copy it again or train again"
        ) from None
    try:
        header = json.loads(metadata[_KEY])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ClassifierFileError(f"{path}: the {_KEY!r} entry of its header is not a JSON object")
    return tensors, header


def save_classifier(path: Path, classifier: Classifier, training: Mapping[str, Any]) -> None:
    """Writes a classifier file.

    Args:
        path: where to; replaced whole.
        classifier: the network with its preprocessing and names.
        training: what is known of its training, for whoever finds the file alone.

    Raises:
        RunError: where the file cannot be written.
    """
    header = {
        "format": _FORMAT,
        "network": classifier.network_name,
        "arguments": classifier.arguments,
        "class_names": list(classifier.class_names),
        "image_shape": list(classifier.image_shape),
        "normalization": {
            "mean": list(classifier.normalization.mean),
            "std": list(classifier.normalization.std),
        },
        "preparation": {
            "fit": classifier.fit,
            "style": asdict(classifier.style) if classifier.style else None,
        },
        "prediction": {"views": classifier.views},
        "training": dict(training),
    }
    save_tensors(path, classifier.network.state_dict(), header)


def load_classifier(path: Path) -> Classifier:
    """The classifier in a file, on the processor, in evaluation mode.

    The network is laid out without memory first and its shapes are held against the file's, so a
    header cannot ask for more memory than the file itself takes.

    Raises:
        ClassifierFileError: a file that is missing, damaged, foreign, or whose header and tensors
            do not describe one network of this package.
    """
    return read_classifier(path)[0]


def read_classifier(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """:func:`load_classifier`, and the header's ``training`` entry.

    Raises:
        ClassifierFileError: as :func:`load_classifier`.
    """
    tensors, header = load_tensors(path)
    try:
        classifier = _empty_classifier(header)
    except TellapartError as error:
        raise ClassifierFileError(f"{path}: {error}") from None
    _check_tensors(path, classifier.network, tensors)
    classifier.network.load_state_dict(tensors, assign=True)
    classifier.requires_grad_(True)
    classifier.eval()
    training = header.get("training")
    return classifier, training if isinstance(training, dict) else {}


def _empty_classifier(header: Mapping[str, Any]) -> Classifier:
    """The classifier that a header describes, its network on the ``meta`` device."""
    if header.get("format") != _FORMAT:
        raise ClassifierFileError(
            f"classifier file format {header.get('format')!r} is not one this version reads "
            f"(it reads {_FORMAT}); a newer tellapart may"
        )
    class_names = _entries(header, "class_names", str)
    if not 2 <= len(class_names) <= _MOST_CLASSES or len(set(class_names)) != len(class_names):
        raise ClassifierFileError("header: class_names must be at least 2 different names")
    if any("\ud800" <= letter <= "\udfff" for name in class_names for letter in name):
        raise ClassifierFileError("header: class_names must be text, not half a character")
    sizes = _entries(header, "image_shape", int)
    if len(sizes) != 3 or not all(1 <= size <= _LONGEST_SIDE for size in sizes):
        raise ClassifierFileError(f"header: image_shape must be 3 positive sizes, got {sizes}")
    arguments = header.get("arguments")
    if not isinstance(arguments, dict) or not isinstance(header.get("network"), str):
        raise ClassifierFileError("header: network must be a name and arguments a table")
    shape = (sizes[0], sizes[1], sizes[2])
    with torch.device("meta"):
        network = build_network(header["network"], shape, len(class_names), arguments)
    return Classifier(
        network,
        network_name=header["network"],
        arguments=arguments,
        class_names=tuple(class_names),
        image_shape=shape,
        normalization=_normalization(header),
        **_preparation(header),
        views=_views(header),
    )


def _preparation(header: Mapping[str, Any]) -> dict[str, Any]:
    """How picture files are made to fit; files of before there was a choice say nothing."""
    table = header.get("preparation", {"fit": "pad", "style": None})
    if not isinstance(table, dict) or table.get("fit") not in ("pad", "crop"):
        raise ClassifierFileError("header: preparation must be a table whose fit is pad or crop")
    style = table.get("style")
    if style is None:
        return {"fit": table["fit"]}
    names = [entry.name for entry in fields(DrawingStyle)]
    if not isinstance(style, dict) or sorted(style) != sorted(names):
        raise ClassifierFileError(f"header: style must be a table of {', '.join(names)}")
    fractions = [style[name] for name in names if name != "background"]
    if style["background"] not in ("dark", "light") or not all(
        isinstance(fraction, float) and 0 <= fraction <= _LARGEST_FRACTION for fraction in fractions
    ):
        raise ClassifierFileError("header: style must have a background and shares of the frame")
    return {"fit": table["fit"], "style": DrawingStyle(**style)}


def _views(header: Mapping[str, Any]) -> Views:
    """Over what the classifier averages; files of before there was a choice say nothing."""
    table = header.get("prediction", {"views": "plain"})
    views = table.get("views") if isinstance(table, dict) else None
    if views not in get_args(Views):
        raise ClassifierFileError(
            f"header: prediction must be a table whose views are {', '.join(get_args(Views))}"
        )
    return cast(Views, views)


def _normalization(header: Mapping[str, Any]) -> Normalization:
    table = header.get("normalization")
    if not isinstance(table, dict):
        raise ClassifierFileError("header: normalization must be a table")
    mean = _entries(table, "mean", (int, float))
    std = _entries(table, "std", (int, float))
    if len(mean) != len(std) or not mean:
        raise ClassifierFileError("header: mean and std must have one number per channel")
    # JSON knows whole numbers of any length; a comparison bears them, math.isfinite does not.
    if not all(abs(x) < math.inf for x in mean) or not all(0 < x < math.inf for x in std):
        raise ClassifierFileError("header: mean must be finite and std above 0")
    try:
        return Normalization(tuple(map(float, mean)), tuple(map(float, std)))
    except OverflowError:
        raise ClassifierFileError("header: mean and std must fit a float") from None


def _entries(table: Mapping[str, Any], key: str, kind: Any) -> list[Any]:
    """The list under ``key``, every entry of it of ``kind``."""
    value = table.get(key)
    if not isinstance(value, list) or not all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    ):
        raise ClassifierFileError(f"header: {key} is missing or of the wrong type")
    return value


def _check_tensors(path: Path, network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    wanted = network.state_dict()
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or extra:
        raise ClassifierFileError(
            f"{path}: its tensors are not those of the network its header names; "
            f"missing: {', '.join(missing[:3]) or 'none'}; "
            f"unknown: {', '.join(extra[:3]) or 'none'}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise ClassifierFileError(
                f"{path}: tensor {name!r} must be {wanted[name].dtype} "
                f"{tuple(wanted[name].shape)}, got {tensor.dtype} {tuple(tensor.shape)}"
            )
