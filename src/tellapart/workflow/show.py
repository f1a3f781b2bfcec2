"""``show``: animated pages of one operation, or of a network with the feature maps of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tellapart import ops
from tellapart.errors import ConfigError, RunError, ShapeError
from tellapart.files import expand_home, write_whole
from tellapart.illustration.kernels import DEFAULT, KERNELS, TUTORIAL, Kernel, kernel_named
from tellapart.illustration.layers import Layer, trace_network
from tellapart.illustration.learned import layer_at_work, learned_scenes
from tellapart.illustration.network import render_network
from tellapart.illustration.player import render_player
from tellapart.illustration.scenes import (
    ACTIVATIONS,
    Field,
    Scene,
    activation_scene,
    average_pooling_scene,
    convolution_scene,
    max_pooling_scene,
)
from tellapart.illustration.texts import Bilingual, bilingual
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.wording import did_you_mean
from tellapart.workflow.shown_images import grey_field, image_for

_POOLINGS = ("max", "average", "tutorial-max", "tutorial-average")


@dataclass(frozen=True)
class ShownNetwork:
    """The result of `show_network`: the layers, and the class probabilities of an image."""

    run: Path
    layers: Sequence[Layer]
    class_names: tuple[str, ...]
    probabilities: tuple[float, ...] | None
    page: Path | None

    @property
    def num_parameters(self) -> int:
        """The number of trainable weights."""
        return sum(layer.num_parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image, in convolutions and linear layers."""
        return sum(layer.multiply_adds for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return what ``show network --json`` prints."""
        probabilities = (
            None
            if self.probabilities is None
            else dict(zip(self.class_names, self.probabilities, strict=True))
        )
        return {
            "run": str(self.run),
            "layers": [layer.to_json() for layer in self.layers],
            "parameters": self.num_parameters,
            "multiply_adds": self.multiply_adds,
            "probabilities": probabilities,
            "page": None if self.page is None else str(self.page),
        }


def show_convolution(
    *,
    image: str | Path | None = None,
    digit: int | None = None,
    kernel: str = DEFAULT,
    stride: int | None = None,
    padding: int | None = None,
    dilation: int | None = None,
    out: str | Path | None = None,
) -> Path:
    """Writes a page on which a kernel slides over an image; returns its path.

    Args:
        image: an image file, scaled down to at most 28x28.
        digit: a bundled digit, 0 to 9, instead of a file; None for both shows a 3.
        kernel: a name of `tellapart.illustration.kernels`, numbers as ``1,0,-1; 2,0,-2``, or
            ``RUN:LAYER`` or ``RUN:LAYER:NUMBER`` for a kernel that a network has learned.
        stride: pixels between positions; None is 1, or the layer's own.
        padding: zeros around the image in pixels; None is 0, or the layer's own.
        dilation: pixels between the kernel's weights; None is 1, or the layer's own.
        out: the page; None is a new ``convolution.html`` or ``convolution-N.html`` here.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> tellapart.show_convolution(kernel="blur").name
    'convolution.html'
    """
    page = _page_path(out, "convolution")
    scenes, opened = _convolutions(image, digit, kernel, stride, padding, dilation)
    write_whole(page, render_player("convolution", scenes, opened))
    return page


def show_pooling(
    *,
    image: str | Path | None = None,
    digit: int | None = None,
    kind: str = "max",
    size: int = 2,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    out: str | Path | None = None,
) -> Path:
    """Writes a page on which a pooling window moves over an image; returns its path.

    Args:
        image: an image file, scaled down to at most 28x28.
        digit: a bundled digit, 0 to 9, instead of a file; None for both shows a 3.
        kind: max or average; tutorial-max or tutorial-average is the tutorials' example.
        size: the side of the window in pixels.
        stride: pixels between positions; None is the size, so that windows do not overlap.
        padding: the border in pixels, at most half of the window.
        dilation: pixels between the window's pixels, for max.
        out: the page; None is a new ``pooling.html`` or ``pooling-N.html`` here.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> tellapart.show_pooling(kind="average", size=4).name
    'pooling.html'
    """
    page = _page_path(out, "pooling")
    if kind not in _POOLINGS:
        raise ConfigError(_unknown("kind of pooling", kind, _POOLINGS))
    if "average" in kind and dilation != 1:
        raise ConfigError(f"average pooling has no dilation, got {dilation}; leave it out")
    over = grey_field(image, digit)
    scenes = [max_pooling_scene(over, size, stride=stride, padding=padding, dilation=dilation)]
    if dilation == 1:
        scenes.append(average_pooling_scene(over, size, stride=stride, padding=padding))
    scenes += _pooling_examples()
    opened = [scene.name for scene in scenes].index(kind)
    write_whole(page, render_player("pooling", scenes, opened))
    return page


def show_activation(
    *,
    image: str | Path | None = None,
    digit: int | None = None,
    function: str = "relu",
    kernel: str = DEFAULT,
    out: str | Path | None = None,
) -> Path:
    """Writes a page on which an activation is applied to a feature map; returns its path.

    Args:
        image: an image file, scaled down to at most 28x28.
        digit: a bundled digit, 0 to 9, instead of a file; None for both shows a 3.
        function: relu, leaky-relu, sigmoid or tanh.
        kernel: as for :func:`show_convolution`; its feature map is the input of the activation.
        out: the page; None is a new ``activation.html`` or ``activation-N.html`` here.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> tellapart.show_activation(function="tanh").name
    'activation.html'
    """
    page = _page_path(out, "activation")
    if function not in ACTIVATIONS:
        raise ConfigError(_unknown("activation", function, ACTIVATIONS))
    scenes, opened = _convolutions(image, digit, kernel, None, None, None)
    first = scenes[opened]
    output = first.output[None]
    # Grey levels 0..255 would drive every squashing function to its end; networks see 0..1.
    scaled = output / 255 if first.field.is_image else output
    caption = bilingual(
        f"the feature map of kernel “{first.title['en']}”",
        f"核“{first.title['zh']}”的特征图",
    )
    over = Field(scaled, caption)
    played = [activation_scene(activation, over) for activation in ACTIVATIONS.values()]
    write_whole(page, render_player("activation", played, list(ACTIVATIONS).index(function)))
    return page


def show_network(
    run: str | Path,
    *,
    image: str | Path | None = None,
    digit: int | None = None,
    write_page: bool = True,
    out: str | Path | None = None,
    session: Session | None = None,
) -> ShownNetwork:
    """Lists the layers of a run's network, and writes a page with the feature maps of an image.

    The feature maps are of the image itself, not of the views of test-time augmentation.

    Args:
        run: a run folder, or a classifier file.
        image: an image file, converted to the classifier's input form; None is an image of the
            run's own test split.
        digit: a bundled digit, 0 to 9, instead, for a classifier of 28x28 grey images.
        write_page: whether to write the page; False only returns the layers.
        out: the page; None is a new ``network.html`` or ``network-N.html`` here.
        session: gives the location of your own network; None is the default `Session`.

    Returns:
        The layers with their shapes and costs, class probabilities, and the path of the page.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> shown = tellapart.show_network(tellapart.train(settings=quick).run)
    >>> shown.page.name, shown.num_parameters
    ('network.html', 13610)
    """
    if not write_page and out is not None:
        raise ConfigError(
            f"no page is written with --text, so --out {out} has no meaning; leave it out"
        )
    page = _page_path(out, "network") if write_page else None
    opened = open_run(run, session=session)
    classifier = opened.classifier
    pixels, caption = image_for(opened, image, digit)
    seen = torch.zeros(classifier.image_shape, dtype=torch.uint8) if pixels is None else pixels
    with torch.inference_mode():
        normalized = classifier.normalize(seen[None])[0]
    layers = trace_network(classifier.network, normalized)
    names, temperature = classifier.class_names, classifier.spec.temperature or 1.0
    if page is not None:
        title = f"{classifier.spec.network} · {Path(run).resolve().name}"
        write_whole(page, render_network(title, layers, names, pixels, caption, temperature))
    probabilities = None
    if pixels is not None:
        probabilities = tuple(ops.softmax(layers[-1].output.double() / temperature).tolist())
    return ShownNetwork(Path(run), layers, names, probabilities, page)


def _page_path(out: str | Path | None, stem: str) -> Path:
    """The path of the page; a path that exists is refused before any work is done."""
    if out is not None:
        path = expand_home(out)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"a page must be an .html file, got {str(out)!r}")
        if path.exists():
            raise RunError(f"{path} exists and is left as it is; choose another name")
        return path
    number, path = 1, Path(f"{stem}.html")
    while path.exists():
        number += 1
        path = Path(f"{stem}-{number}.html")
    return path


def _unknown(subject: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    hint = did_you_mean(name, names, otherwise=f"known: {', '.join(names)}")
    return f"no {subject} is called {name!r}{hint}"


def _convolutions(
    image: str | Path | None,
    digit: int | None,
    kernel: str,
    stride: int | None,
    padding: int | None,
    dilation: int | None,
) -> tuple[list[Scene], int]:
    """The scenes to choose from, and the index of the requested one."""
    if ":" in kernel and kernel not in KERNELS:
        run, layer, number = _layer_address(kernel)
        opened = open_run(run)
        pixels, caption = image_for(opened, image, digit)
        if pixels is None or caption is None:
            raise ConfigError(f"no image is available for {run}; give one with --image")
        work = layer_at_work(opened.classifier, pixels, layer, run)
        scenes = learned_scenes(work, number, stride=stride, padding=padding, dilation=dilation)
        return [_captioned(scene, caption) for scene in scenes], 0
    chosen = kernel_named(kernel)
    if chosen.name == TUTORIAL and (image is not None or digit is not None):
        raise ConfigError(
            f"kernel {TUTORIAL!r} brings its own 3x3 image; leave out --image and --digit, "
            "or write the kernel as '1,1; 1,1'"
        )
    image_field = None if chosen.name == TUTORIAL else grey_field(image, digit)
    steps = (
        1 if stride is None else stride,
        0 if padding is None else padding,
        1 if dilation is None else dilation,
    )
    offered = {chosen.name: chosen, **KERNELS} if chosen.name not in KERNELS else KERNELS
    usual = image_field or grey_field(None, None)
    scenes = []
    for entry in offered.values():
        over = _tutorial_field() if entry.name == TUTORIAL else usual
        scene = _if_it_fits(entry, over, *steps, must=entry is chosen)
        scenes += [scene] if scene else []
    return scenes, [scene.name for scene in scenes].index(chosen.name)


def _if_it_fits(
    kernel: Kernel, over: Field, stride: int, padding: int, dilation: int, *, must: bool
) -> Scene | None:
    try:
        return convolution_scene(kernel, over, stride=stride, padding=padding, dilation=dilation)
    except ShapeError:
        if must:
            raise
        return None


def _layer_address(text: str) -> tuple[str, str, int | None]:
    """``RUN:LAYER`` or ``RUN:LAYER:NUMBER``, read from the right: a path may hold a colon."""
    front, _, last = text.rpartition(":")
    if last.isdecimal() and ":" in front:
        run, _, layer = front.rpartition(":")
        return run, layer, int(last)
    return front, last, None


def _captioned(scene: Scene, caption: Bilingual) -> Scene:
    words = {key: f"{text}: {caption[key]}" for key, text in scene.field.caption.items()}
    field = Field(scene.field.values, words, scene.field.is_image)
    return replace(scene, field=field)


def _tutorial_field() -> Field:
    numbers = torch.arange(1.0, 10.0).view(1, 3, 3)
    return Field(numbers, bilingual("the numbers 1 to 9", "数字 1 到 9"))


def _pooling_examples() -> list[Scene]:
    caption = bilingual("the answer of the convolution's worked example", "卷积例题的结果")
    answer = ops.conv2d(_tutorial_field().values[None], torch.ones(1, 1, 2, 2))[0]
    over = Field(answer, caption)
    examples: list[tuple[Callable[[Field], Scene], str, Bilingual]] = [
        (max_pooling_scene, "tutorial-max", bilingual("worked example, maximum", "例题：最大")),
        (
            average_pooling_scene,
            "tutorial-average",
            bilingual("worked example, average", "例题：平均"),
        ),
    ]
    return [replace(pool(over), name=name, title=title) for pool, name, title in examples]
