"""What a page plays: an operation of `tellapart.ops` with every number of its computation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tellapart import ops
from tellapart.errors import ConfigError
from tellapart.illustration.arrays import packed
from tellapart.illustration.kernels import Kernel
from tellapart.illustration.texts import Bilingual, bilingual
from tellapart.ops import Window
from tellapart.ops.arguments import Pair
from tellapart.ops.windows import pad_images, sliding_windows

_CURVE_POINTS = 161


@dataclass(frozen=True)
class Field:
    """The input of an operation, over which the window slides.

    Args:
        values: float32, (channels, height, width).
        caption: where the values come from.
        is_image: whether the values are grey levels 0..255 and are shown in grey.
    """

    values: Tensor
    caption: Bilingual
    is_image: bool = False


@dataclass(frozen=True)
class Scene:
    """One operation on one field, place by place.

    Args:
        name: its name on the command line.
        title: its name on the page.
        meaning: what to look at, in a sentence.
        operation: convolution, max, average or activation: what is drawn between the two grids.
        field: the input.
        window: size, stride, padding and dilation.
        output: float32, (places_h, places_w).
        numbers: all other numbers that the page shows, tensors or single numbers.
        channel_names: names of the channels of ``field``, where it has several.
    """

    name: str
    title: Bilingual
    meaning: Bilingual
    operation: str
    field: Field
    window: Window
    output: Tensor
    numbers: Mapping[str, Tensor | float | None] = dataclasses.field(default_factory=dict)
    channel_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not bool(self.output.isfinite().all()):
            raise ConfigError(
                f"{self.title['en']}: its sums overflow float32; use a kernel of smaller numbers"
            )

    def to_json(self) -> dict[str, Any]:
        """Return what the script of the page reads, without the field: several scenes share one."""
        numbers = {
            name: packed(value) if isinstance(value, Tensor) else value
            for name, value in self.numbers.items()
        }
        return {
            "name": self.name,
            "title": self.title,
            "meaning": self.meaning,
            "operation": self.operation,
            "size": self.window.size,
            "stride": self.window.stride,
            "padding": self.window.padding,
            "dilation": self.window.dilation,
            "output": packed(self.output),
            "channels": self.channel_names,
            "opening": opening_place(self.output),
            **numbers,
        }


def opening_place(output: Tensor) -> int:
    """Return the place that a page opens at: the largest absolute output of the middle rows."""
    rows, columns = output.shape
    first = rows // 4
    middle = output[first : max(first + 1, rows - first)].abs()
    return first * columns + int(middle.argmax())


def convolution_scene(
    kernel: Kernel, over: Field, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Scene:
    """Return the scene of a kernel of one channel on a field of one channel.

    Raises:
        ShapeError: where the kernel does not fit the padded field.
        ConfigError: where the sums overflow.
    """
    window = Window.of(_size(kernel.weight), stride, padding, dilation)
    weight = kernel.weight[None, None]
    images = over.values[None]
    output = ops.conv2d(images, weight, stride=stride, padding=padding, dilation=dilation)
    return Scene(
        name=kernel.name,
        title=kernel.title,
        meaning=kernel.meaning,
        operation="convolution",
        field=over,
        window=window,
        output=output[0, 0],
        numbers={
            "kernels": kernel.weight[None],
            "products": products(over.values, kernel.weight[None], window),
            "partial": output[0],
        },
    )


def products(values: Tensor, weight: Tensor, window: Window) -> Tensor:
    """Return the terms of each sum: (channels, places_h, places_w, kernel_h, kernel_w).

    Args:
        values: (channels, height, width).
        weight: (channels, kernel_h, kernel_w).
        window: with its padding.
    """
    windows = sliding_windows(pad_images(values[None], window.padding), window)[0]
    return windows * weight[:, None, None]


def max_pooling_scene(
    over: Field,
    size: Pair = 2,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> Scene:
    """Return the scene of max pooling, with the position of each maximum (of equal ones the first).

    Raises:
        ShapeError: where the window does not fit the padded field.
    """
    images = over.values[None]
    output = ops.max_pool2d(images, size, stride=stride, padding=padding, dilation=dilation)
    window = Window.of(size, size if stride is None else stride, padding, dilation)
    padded = pad_images(images, window.padding, value=-torch.inf)
    windows = sliding_windows(padded, window)[0, 0].flatten(2)  # (places_h, places_w, pixels)
    winners = (windows == output[0, 0, :, :, None]).to(torch.uint8).argmax(2)
    return Scene(
        name="max",
        title=bilingual("maximum", "最大池化"),
        meaning=bilingual(
            "Only the largest pixel of each window is kept. Its exact position is lost.",
            "每个窗口只留下最强的像素，它的确切位置被忘掉。",
        ),
        operation="max",
        field=over,
        window=window,
        output=output[0, 0],
        numbers={"winners": winners.float()},
    )


def average_pooling_scene(
    over: Field, size: Pair = 2, *, stride: Pair | None = None, padding: Pair = 0
) -> Scene:
    """Return the scene of average pooling, which counts the padding as zeros.

    Raises:
        ShapeError: where the window does not fit the padded field.
    """
    output = ops.avg_pool2d(over.values[None], size, stride=stride, padding=padding)
    window = Window.of(size, size if stride is None else stride, padding)
    ones = over.values.new_ones(1, *window.size)
    return Scene(
        name="average",
        title=bilingual("average", "平均池化"),
        meaning=bilingual(
            "The mean of each window is kept: the image gets smaller and softer, and single "
            "bright pixels get weaker.",
            "每个窗口的平均值留下：图片变小、变柔和，单个的强像素被冲淡。",
        ),
        operation="average",
        field=over,
        window=window,
        output=output[0, 0],
        numbers={
            "sums": products(over.values, ones, window).sum((0, 3, 4)),
            "count": float(window.size[0] * window.size[1]),
        },
    )


@dataclass(frozen=True)
class Activation:
    """A function that acts on every number alone, with its formula and its meaning."""

    name: str
    formula: str
    meaning: Bilingual

    def __call__(self, values: Tensor) -> Tensor:
        """Apply the function of `tellapart.ops` with this name."""
        result: Tensor = getattr(ops, self.name.replace("-", "_"))(values)
        return result


ACTIVATIONS = {
    entry.name: entry
    for entry in (
        Activation(
            "relu",
            "max(x, 0)",
            bilingual(
                "Negative numbers become 0, all others stay: edges of one direction are kept, "
                "those of the opposite direction are removed.",
                "负数变为 0，其余不变：一个方向的边缘留下，另一个方向的被截去。",
            ),
        ),
        Activation(
            "leaky-relu",
            "x > 0: x;  x ≤ 0: 0.01 x",
            bilingual(
                "Like ReLU, but negative numbers are divided by 100 instead of set to 0. So the "
                "slope is never 0, and every unit can continue to learn.",
                "与 ReLU 相似，但负数保留百分之一，因此斜率处处不为 0，每个单元都能继续学习。",
            ),
        ),
        Activation(
            "sigmoid",
            "1 / (1 + e⁻ˣ)",
            bilingual(
                "Maps every number into 0..1. Far from 0 the curve is flat: there the gradient is "
                "almost 0.",
                "把每个数压到 0..1。离 0 远处曲线平坦，梯度几乎通不过。",
            ),
        ),
        Activation(
            "tanh",
            "(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)",
            bilingual(
                "Maps every number into −1..1 and keeps its sign. Far from 0 the curve is flat, "
                "like that of the sigmoid.",
                "把每个数压到 −1..1，符号不变；与 sigmoid 一样，离 0 远处平坦。",
            ),
        ),
    )
}


def activation_scene(activation: Activation, over: Field) -> Scene:
    """Return the scene of a function on a field of one channel, with its slope and its curve."""
    values = over.values[:1].detach().requires_grad_()
    output = activation(values)
    (slope,) = torch.autograd.grad(output.sum(), values)
    reach = max(float(values.detach().abs().max()), 1e-6)
    across = torch.linspace(-reach, reach, _CURVE_POINTS)
    return Scene(
        name=activation.name,
        title=bilingual(activation.name, activation.name),
        meaning=activation.meaning,
        operation="activation",
        field=over,
        window=Window.of(1),
        output=output.detach()[0],
        numbers={"slopes": slope[0], "curve": torch.stack([across, activation(across)])},
    )


def _size(weight: Tensor) -> tuple[int, int]:
    return weight.shape[0], weight.shape[1]
