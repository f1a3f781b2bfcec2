"""The convolutions of a trained network as scenes: its learned kernels on their real inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tellapart import ops
from tellapart.errors import ConfigError, RunError
from tellapart.illustration.scenes import Field, Scene, products
from tellapart.illustration.texts import bilingual
from tellapart.models.capture import captured
from tellapart.models.classifier import Classifier
from tellapart.ops import Window
from tellapart.ops.arguments import Pair

LARGEST_SIDE = 28
"""The longer side in pixels of the largest grid whose numbers a page can show."""

MOST_CHANNELS = 32
MOST_KERNELS = 16
# The number of products on one page: about 2 MB.
_MOST_NUMBERS = 400_000


@dataclass(frozen=True)
class LayerAtWork:
    """A convolution of a network and its input for one image.

    Args:
        name: its name in the network.
        layer: the convolution.
        arrived: its input, float32, (channels, height, width).
    """

    name: str
    layer: nn.Conv2d
    arrived: Tensor


def layer_at_work(classifier: Classifier, image: Tensor, name: str, run: str) -> LayerAtWork:
    """Lets an image, uint8 (channels, height, width), go through the network up to a layer.

    Raises:
        RunError: where the network has no such layer.
        ConfigError: where the layer is no convolution.
    """
    layers = {key: module for key, module in classifier.network.named_modules() if key}
    convolutions = [key for key, module in layers.items() if isinstance(module, nn.Conv2d)]
    known = f"its convolutions: {', '.join(convolutions) or 'none'}"
    if name not in layers:
        raise RunError(f"run {run} has no layer {name!r}; {known}")
    layer = layers[name]
    if not isinstance(layer, nn.Conv2d) or isinstance(layer.padding, str):
        raise ConfigError(
            f"layer {name!r} of {run} is no convolution but {type(layer).__name__}; {known}"
        )
    # A copy: a layer that works in place would change what arrived here.
    with (
        torch.inference_mode(),
        captured(classifier.network, [name], inputs=True, keep=torch.clone) as seen,
    ):
        classifier.eval().plain_logits(image[None])
    (arrived, *_) = seen[name]
    return LayerAtWork(name, layer, arrived[0].contiguous())


def learned_scenes(
    work: LayerAtWork,
    number: int | None = None,
    *,
    stride: Pair | None = None,
    padding: Pair | None = None,
    dilation: Pair | None = None,
) -> list[Scene]:
    """Return scenes of a layer's kernels, kernel ``number`` (or the first) before the others.

    Only as many kernels are included as fit on one page.

    Args:
        work: from `layer_at_work`.
        number: index of the kernel, from 0.
        stride: None for that of the layer; likewise padding and dilation.

    Raises:
        RunError: where the layer has no kernel of that number.
        ShapeError: where a kernel is larger than the padded input.
    """
    layer = work.layer
    count = layer.out_channels
    if number is not None and not 0 <= number < count:
        raise RunError(f"layer {work.name!r} has kernels 0 to {count - 1}, got {number}")
    window = Window.of(
        _pair(layer.kernel_size),
        _pair(layer.stride) if stride is None else stride,
        _pair(layer.padding) if padding is None else padding,
        _pair(layer.dilation) if dilation is None else dilation,
    )
    chosen = number or 0
    first = _scene(work, chosen, window)
    room = _MOST_NUMBERS // first.numbers["products"].numel()  # type: ignore[union-attr]
    others = [index for index in range(count) if index != chosen]
    others = sorted(others[: max(0, min(room, MOST_KERNELS) - 1)])
    return [first, *(_scene(work, index, window) for index in others)]


def _scene(work: LayerAtWork, index: int, window: Window) -> Scene:
    layer, weights = work.layer, work.layer.weight.detach()[index]
    in_group = weights.shape[0]
    start = index // (layer.out_channels // layer.groups) * in_group
    values = middle(work.arrived[start : start + in_group])
    # The channels with the largest weights are shown; the sum of all others is one number.
    shown = weights.abs().sum((1, 2)).topk(min(in_group, MOST_CHANNELS)).indices.sort().values
    bias = None if layer.bias is None else layer.bias.detach()[index : index + 1]

    def slide(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return ops.conv2d(
            images,
            weight,
            bias,
            stride=window.stride,
            padding=window.padding,
            dilation=window.dilation,
            groups=images.shape[1] // weight.shape[1],
        )[0]

    output = slide(values[None], weights[None], bias)[0]
    partial = slide(values[None, shown], weights[shown][:, None])
    rest = output - partial.sum(0) - (0.0 if bias is None else bias)
    return Scene(
        name=f"{work.name}:{index}",
        title=bilingual(f"{work.name} · {index}", f"{work.name} · {index}"),
        meaning=_meaning(work, in_group, values),
        operation="convolution",
        field=Field(values[shown], bilingual("the input of this layer", "到达这一层的输入")),
        window=window,
        output=output,
        numbers={
            "kernels": weights[shown],
            "products": products(values[shown], weights[shown], window),
            "partial": partial,
            "rest": rest if len(shown) < in_group else None,
            "bias": None if bias is None else float(bias),
        },
        channel_names=tuple(str(start + int(channel)) for channel in shown),
    )


def _pair(sizes: Any) -> tuple[int, int]:
    # torch declares the sizes of a layer as tuples of any length.
    down, across = sizes
    return int(down), int(across)


def middle(values: Tensor) -> Tensor:
    """Return the middle of (channels, height, width), at most 28 pixels high and wide."""
    height, width = values.shape[1:]
    top, left = max(0, height - LARGEST_SIDE) // 2, max(0, width - LARGEST_SIDE) // 2
    return values[:, top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]


def _meaning(work: LayerAtWork, in_group: int, values: Tensor) -> dict[str, str]:
    english = [f"A kernel that the network has learned, one of {work.layer.out_channels}."]
    chinese = [f"网络学到的一个核，共 {work.layer.out_channels} 个。"]
    if in_group > 1:
        english.append(f"It spans {in_group} channels; the sums of all channels are added up.")
        chinese.append(f"它同时看 {in_group} 个通道，各通道的和再相加。")
    if values.shape != work.arrived.shape and max(work.arrived.shape[1:]) > LARGEST_SIDE:
        whole, part = (f"{v.shape[1]}x{v.shape[2]}" for v in (work.arrived, values))
        english.append(f"Only the middle {part} of {whole} pixels are shown.")
        chinese.append(f"显示的是 {whole} 像素中间的 {part}。")
    return bilingual(" ".join(english), "".join(chinese))
