"""The classifier file and the training state; both are safetensors, so loading runs no code.

A classifier file holds the network's tensors, under ``outside/`` the references of the rule for
images unlike the training images if it has one, and, in its header, one JSON text under the key
``tellapart``: the format's number, the classifier's specification (`tellapart.models.spec`), and
the facts of its training (recipe, data fingerprint, version). A state holds tensors under
``weights/``, ``best/`` and ``optimizer/``, and the rest as JSON in the same place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from tellapart.errors import ClassifierFileError, ConfigError, TellapartError
from tellapart.files import write_whole
from tellapart.models.classifier import Classifier
from tellapart.models.registry import build_network
from tellapart.models.spec import ClassifierSpec

_FORMAT = 2
_KEY = "tellapart"
_REFERENCES = "outside/"


def weights_sha256(weights: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256, in hexadecimal, of the tensors: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]
) -> None:
    """Writes tensors and a JSON header as one safetensors file, completely or not at all.

    Raises:
        RunError: a file that cannot be written.
    """
    # safetensors refuses channels_last tensors, so each is laid out plainly first.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    write_whole(path, safetensors.torch.save(plain, metadata={_KEY: text}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the tensors and the header of a file that :func:`save_tensors` wrote.

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
            # Copied, because the tensors are views of the mapped file: overwriting it would change
            # weights in use, and truncating it would kill the process.
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
        path: the file, which is replaced.
        classifier: the network with its specification.
        training: facts of its training, which `read_classifier` returns; may be empty.

    Raises:
        RunError: a file that cannot be written.

    >>> import tellapart
    >>> spec = tellapart.ClassifierSpec(
    ...     network="single-conv",
    ...     class_names=("ant", "bee"),
    ...     image_shape=(1, 28, 28),
    ...     normalization=tellapart.Normalization(mean=(0.13,), std=(0.31,)),
    ... )
    >>> classifier = tellapart.Classifier(build_network("single-conv", (1, 28, 28), 2, {}), spec)
    >>> tellapart.save_classifier(Path("bugs.safetensors"), classifier, {})
    >>> tellapart.load_classifier(Path("bugs.safetensors")).class_names
    ('ant', 'bee')
    """
    header = {
        "format": _FORMAT,
        "classifier": classifier.spec.to_json(),
        "training": dict(training),
    }
    references = {_REFERENCES + name: kept for name, kept in classifier.references.items()}
    save_tensors(path, {**classifier.network.state_dict(), **references}, header)


def load_classifier(path: Path, network: str | None = None) -> Classifier:
    """Load the classifier of a file, on the CPU, in evaluation mode.

    The network is first built without memory and its shapes are compared with those of the file, so
    a header cannot claim more memory than the file has.

    Args:
        path: the file.
        network: the location of your own network, ``my_nets.py:Net``, if the classifier has one;
            its code runs only if it is named here, never because a file names it.

    Returns:
        The classifier.

    Raises:
        ClassifierFileError: a file that is missing, damaged, foreign, or whose header and tensors
            do not describe one network of this package.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> run = tellapart.train(settings=quick, shots=9).run
    >>> tellapart.load_classifier(run / "model.safetensors").image_shape
    (1, 28, 28)
    """
    return read_classifier(path, network)[0]


def read_classifier(path: Path, network: str | None = None) -> tuple[Classifier, dict[str, Any]]:
    """:func:`load_classifier`, and the header's ``training`` entry.

    Raises:
        ClassifierFileError: as :func:`load_classifier`.
    """
    tensors, header = load_tensors(path)
    try:
        classifier = _empty_classifier(header, network)
    except TellapartError as error:
        raise ClassifierFileError(f"{path}: {error}") from None
    if classifier.spec.outside is not None:
        names = [name for name in tensors if name.startswith(_REFERENCES)]
        classifier.references = {
            name.removeprefix(_REFERENCES): tensors.pop(name) for name in names
        }
    _check_tensors(path, classifier.network, tensors)
    classifier.network.load_state_dict(tensors, assign=True)
    classifier.requires_grad_(True)
    classifier.eval()
    training = header.get("training")
    return classifier, training if isinstance(training, dict) else {}


def read_spec(path: Path) -> ClassifierSpec:
    """Read the specification of a classifier file, without its network.

    Raises:
        ClassifierFileError: a file that is missing, damaged, foreign or of another format.
    """
    return _spec(load_tensors(path)[1])


def _empty_classifier(header: Mapping[str, Any], own: str | None) -> Classifier:
    """Build the classifier that a header describes, without memory for its weights.

    A person's own network is built with memory: the file does not hold what its constructor
    computes besides the weights.
    """
    spec = _spec(header)
    channels, height, width = spec.image_shape
    with torch.device("cpu" if own else "meta"), torch.random.fork_rng(devices=[]):
        network = build_network(
            spec.network, (channels, height, width), len(spec.class_names), spec.arguments, own
        )
    return Classifier(network, spec)


def _spec(header: Mapping[str, Any]) -> ClassifierSpec:
    if header.get("format") != _FORMAT:
        raise ClassifierFileError(
            f"classifier file format {header.get('format')!r} is not one this version reads "
            f"(it reads {_FORMAT}); a newer tellapart may"
        )
    content = header.get("classifier")
    if not isinstance(content, dict):
        raise ClassifierFileError("header: classifier must be a table")
    try:
        return ClassifierSpec.from_json(content)
    except ConfigError as error:
        raise ClassifierFileError(f"header: {error}") from None


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
