"""A person's own network: ``my_nets.py:Net`` or ``package.module:Net``.

A person's code runs only if the person has typed its location in this process. A classifier file or
a run names the network that it was trained with, but nothing is imported because a file names it.

What is accepted: an ``nn.Module`` class, or a function that returns an ``nn.Module``, which takes
float images (batch, channels, height, width) and gives logits (batch, classes), without a softmax.
It is called with those of ``in_channels``, ``num_classes`` and ``image_shape`` (channels, height,
width) that its signature names, and with the recipe's ``model.arguments``. Weights are drawn from
torch's global generator, which the run's seed sets.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from tellapart.config import Scalar
from tellapart.errors import ConfigError
from tellapart.models.blocks import ImageShape
from tellapart.models.timm_networks import PREFIX as TIMM_PREFIX
from tellapart.wording import did_you_mean

_SHORT = "a file or a module, a colon and a class or function, as my_nets.py:Net"
# Files in a traceback that are not the person's code.
_NOT_THEIRS = (str(Path(torch.__file__).parent), str(Path(__file__).parent), "<frozen ")


def is_own(name: str) -> bool:
    """Whether a network's name is the location of a person's own code."""
    return ":" in name and not name.startswith(TIMM_PREFIX)


def require_typed(name: str, own: str | None) -> str:
    """Return what the person typed, if it is the network called ``name``.

    Args:
        name: of the network, in a recipe or a classifier file.
        own: what the person typed in this process; None if nothing.

    Raises:
        ConfigError: nothing was typed, or another network.
    """
    if not is_own(name):
        if own is not None:
            raise ConfigError(
                f"--network {own} is for a classifier of one's own network, and this one is of "
                f"{name!r}, which comes with tellapart; leave out --network"
            )
        return name
    if own is None:
        raise ConfigError(
            f"the network is {name!r}, a person's own code, which is run only when it is named "
            f"again: give --network {name}"
        )
    if _parts(own)[1] != _parts(name)[1]:
        raise ConfigError(
            f"the network is called {_parts(name)[1]!r} (it was {name}), and --network {own} names "
            f"another; give the place of {_parts(name)[1]!r}"
        )
    return own


def build_own(
    spelling: str, shape: ImageShape, num_classes: int, arguments: Mapping[str, Scalar]
) -> nn.Module:
    """Imports a person's network, makes it, and runs it on two images of zeros.

    It is made on the CPU, even inside ``torch.device("meta")``, so that values that its constructor
    computes exist.

    Args:
        spelling: ``FILE.py:NAME``, the file relative to the working folder, or
            ``PACKAGE.MODULE:NAME``, looked for in the working folder too.
        shape: channels, height and width of the images.
        num_classes: of the logits.
        arguments: further arguments, by name.

    Raises:
        ConfigError: code that is missing or fails, an unfit signature, or a network that cannot
            take these images or does not return logits.
    """
    with torch.device("cpu"), contextlib.redirect_stdout(sys.stderr):
        target = _load(spelling)
        given = _call_arguments(spelling, target, shape, num_classes, arguments)
        with _naming_the_line(f"network {spelling!r} cannot be made"):
            network = target(**given)
        if not isinstance(network, nn.Module):
            raise ConfigError(
                f"network {spelling!r} must give an nn.Module, got {type(network).__name__}"
            )
        _check_outputs(spelling, network, shape, num_classes)
    _check_weights(spelling, network)
    return network.train()


def _parts(spelling: str) -> tuple[str, str]:
    """Place and name."""
    place, _, name = spelling.rpartition(":")
    if not place or not name.isidentifier():
        raise ConfigError(f"one's own network is given as {_SHORT}; got {spelling!r}")
    return place, name


def _load(spelling: str) -> Callable[..., Any]:
    """The class or the function."""
    place, name = _parts(spelling)
    module = _import_file(place) if place.endswith(".py") else _import_module(place)
    target: Any = getattr(module, name, None)
    is_class = inspect.isclass(target)
    is_function = callable(target) and not is_class and not isinstance(target, nn.Module)
    if is_function or (is_class and issubclass(target, nn.Module)):
        builder: Callable[..., Any] = target
        return builder
    if target is not None:
        kind = "a class" if is_class else "an object"
        raise ConfigError(
            f"{name!r} of {place} is {kind} of another kind; one's own network is an nn.Module "
            "class, or a function that returns an nn.Module"
        )
    found = [
        key
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and callable(value)
    ]
    raise ConfigError(
        f"{place} has no {name!r}"
        + did_you_mean(name, found, f"it defines: {', '.join(found) or 'nothing'}")
    )


def _import_file(place: str) -> ModuleType:
    path = Path(place).expanduser().resolve()
    try:
        content = path.read_bytes()
    except OSError:
        raise ConfigError(
            f"{place} cannot be read (looked for at {path}); one's own network is given as {_SHORT}"
        ) from None
    # A name that nothing else has, and another one once the file has changed.
    digest = hashlib.sha256(bytes(path) + b"\0" + content).hexdigest()[:16]
    name = f"tellapart_own_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _naming_the_line(f"{place} cannot be imported"), _searched(path.parent):
            spec.loader.exec_module(module)
    except ConfigError:
        del sys.modules[name]
        raise
    return module


def _import_module(place: str) -> ModuleType:
    with _naming_the_line(f"module {place!r} cannot be imported"), _searched(Path.cwd()):
        return importlib.import_module(place)


@contextlib.contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Lets imports inside find the files of ``folder``, as a script's own folder is found."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))


@contextlib.contextmanager
def _naming_the_line(what: str, remedy: str = "") -> Iterator[None]:
    """Raises errors of a person's code as a ConfigError that names the line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        reason = (str(error) or "no reason given").splitlines()[0]
        place = _place_of(error)
        raise ConfigError(
            f"{what}: {type(error).__name__}{f' at {place}' if place else ''}: {reason}{remedy}"
        ) from None


def _place_of(error: BaseException) -> str:
    """File and line of a person's code that raised the error; empty if it is not theirs."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_NOT_THEIRS)
        and "importlib" not in Path(frame.filename).parts
    ]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _call_arguments(
    spelling: str,
    target: Callable[..., Any],
    shape: ImageShape,
    num_classes: int,
    arguments: Mapping[str, Scalar],
) -> dict[str, Any]:
    """The arguments for making the network, by name."""
    offered = {"in_channels": shape[0], "num_classes": num_classes, "image_shape": tuple(shape)}
    parameters = list(inspect.signature(target).parameters.values())
    takes_any = any(entry.kind is entry.VAR_KEYWORD for entry in parameters)
    named = [e.name for e in parameters if e.kind in (e.POSITIONAL_OR_KEYWORD, e.KEYWORD_ONLY)]
    for argument in arguments:
        if argument in offered:
            raise ConfigError(
                f"{argument} of {spelling!r} comes from the data; leave out model.arguments."
                f"{argument}"
            )
        if argument not in named and not takes_any:
            own = [name for name in named if name not in offered]
            raise ConfigError(
                f"network {spelling!r} has no argument {argument!r}; it takes: "
                f"{', '.join(own) or 'none'}"
            )
    given = {name: value for name, value in offered.items() if name in named}
    missing = [
        entry.name
        for entry in parameters
        if entry.default is entry.empty
        and entry.kind not in (entry.VAR_POSITIONAL, entry.VAR_KEYWORD)
        and entry.name not in {*given, *arguments}
    ]
    if missing:
        raise ConfigError(
            f"network {spelling!r} takes {', '.join(missing)}; it is given in_channels, "
            f"num_classes and image_shape by these names: set model.arguments.{missing[0]}=VALUE, "
            "or give it a default"
        )
    return given | dict(arguments)


def _check_outputs(spelling: str, network: nn.Module, shape: ImageShape, num_classes: int) -> None:
    network.eval()
    takes = f"images of (channels, height, width) {tuple(shape)}"
    remedy = "; build it for in_channels and image_shape, which it is given where it takes them"
    with torch.no_grad(), _naming_the_line(f"network {spelling!r} cannot take {takes}", remedy):
        logits = network(torch.zeros(2, *shape))
    is_tensor = isinstance(logits, torch.Tensor)
    if not is_tensor or tuple(logits.shape) != (2, num_classes) or not logits.is_floating_point():
        found = f"{logits.dtype} {tuple(logits.shape)}" if is_tensor else type(logits).__name__
        raise ConfigError(
            f"network {spelling!r} must give (batch, classes) logits, float (2, {num_classes}) for "
            f"two {takes}, got {found}; build its last layer for num_classes"
        )


def _check_weights(spelling: str, network: nn.Module) -> None:
    if not any(weight.requires_grad for weight in network.parameters()):
        raise ConfigError(
            f"network {spelling!r} has no weight to train; layers count that are attributes of the "
            "nn.Module, or in an nn.ModuleList"
        )
    names: dict[int, str] = {}
    for name, tensor in network.state_dict().items():
        first = names.setdefault(tensor.untyped_storage().data_ptr(), name)
        if first != name and tensor.numel():
            raise ConfigError(
                f"network {spelling!r} holds one tensor under two names, {first} and {name}, which "
                "a classifier file cannot; keep the layer under one name and use it twice"
            )
