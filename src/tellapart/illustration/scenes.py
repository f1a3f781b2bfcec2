"""What a page plays: an operation of `tellapart.ops` with every number on the way to its result."""

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
    """What a window slides over.

    Args:
        values: float32, (channels, height, width).
        caption: where it comes from.
        is_image: whether these are grey levels 0..255, to be shown as such.
    """

    values: Tensor
    caption: Bilingual
    is_image: bool = False


@dataclass(frozen=True)
class Scene:
    """One operation on one field, place by place.

    Args:
        name: what a person types for it.
        title: its name on the page.
        meaning: what to look at, in a sentence.
        operation: convolution, max, average or activation: what is drawn between the two grids.
        field: what it looks at.
        window: how it moves.
        output: float32, (places_h, places_w).
        numbers: everything else that the page writes out, tensors or single numbers.
        channel_names: of ``field``, where it has several.
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
        """What the page's script reads; the field is listed apart, since scenes share it."""
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
    """Where a page opens: at the strongest answer of the middle rows, in the middle of things."""
    rows, columns = output.shape
    first = rows // 4
    middle = output[first : max(first + 1, rows - first)].abs()
    return first * columns + int(middle.argmax())


def convolution_scene(
    kernel: Kernel, over: Field, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Scene:
    """A kernel of one channel over a field of one channel.

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
    """What is added up at each place: (channels, places_h, places_w, kernel_h, kernel_w).

    Args:
        values: (channels, height, width).
        weight: (channels, kernel_h, kernel_w).
        window: padding included.
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
    """The largest pixel of every window, and which of them it is (the first, where they tie).

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
            "Only the strongest pixel of each window goes on. Where exactly it was is forgotten.",
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
    """The mean of every window, padding counted as zeros.

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
            "The mean of each window goes on: a smaller picture, softened. Strong single pixels "
            "are thinned out.",
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
        """The function of `tellapart.ops` with this name."""
        result: Tensor = getattr(ops, self.name.replace("-", "_"))(values)
        return result


ACTIVATIONS = {
    entry.name: entry
    for entry in (
        Activation(
            "relu",
            "max(x, 0)",
            bilingual(
                "What is negative becomes 0, the rest stays: the edges of one direction go on, "
                "those of the other are cut.",
                "负数变为 0，其余不变：一个方向的边缘留下，另一个方向的被截去。",
            ),
        ),
        Activation(
            "leaky-relu",
            "x > 0: x;  x ≤ 0: 0.01 x",
            bilingual(
                "As ReLU, but a hundredth of what is negative stays, so that its slope is nowhere "
                "0 and every unit can go on learning.",
                "与 ReLU 相似，但负数保留百分之一，因此斜率处处不为 0，每个单元都能继续学习。",
            ),
        ),
        Activation(
            "sigmoid",
            "1 / (1 + e⁻ˣ)",
            bilingual(
                "Squashes every number into 0..1. Far from 0 the curve is flat: there almost no "
                "gradient comes through.",
                "把每个数压到 0..1。离 0 远处曲线平坦，梯度几乎通不过。",
            ),
        ),
        Activation(
            "tanh",
            "(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)",
            bilingual(
                "Squashes every number into −1..1 and keeps its sign; flat far from 0, as the "
                "sigmoid.",
                "把每个数压到 −1..1，符号不变；与 sigmoid 一样，离 0 远处平坦。",
            ),
        ),
    )
}


def activation_scene(activation: Activation, over: Field) -> Scene:
    """A function on every number of a field of one channel, with its slope and its curve."""
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
