"""A network as boxes in a row: larger maps are higher, more channels are more sheets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart.illustration.layers import Layer
from tellapart.page import svg
from tellapart.page.markup import Markup, element

_HEIGHT = 250.0
_MIDDLE = 108.0
_TALLEST = 128.0
_GAP = 30.0
_SHEET = 4.0

#: The colour class of a layer, by the beginning of its class name.
_FAMILIES = {
    "Conv": "convolving", "Linear": "convolving", "MaxPool": "pooling", "AvgPool": "pooling",
    "Adaptive": "pooling",
}  # fmt: skip


def network_diagram(layers: Sequence[Layer]) -> Markup:
    """Draw the layers from left to right; each box links to the row of its layer on the page."""
    largest = max((max(layer.output_shape[1:]) for layer in layers if _is_map(layer)), default=1)
    x, boxes = 10.0, []
    for index, layer in enumerate(layers):
        box, width = _box(layer, index, x, largest)
        boxes.append(box)
        x += width + _GAP
    description = ", ".join(
        f"{layer.name} {' by '.join(map(str, layer.output_shape))}" for layer in layers
    )
    chart = svg.figure("diagram", "Layers", description, (x, _HEIGHT), *boxes)
    return element("div", chart, style=f"width:{x:.0f}px", class_="row")


def _is_map(layer: Layer) -> bool:
    return len(layer.output_shape) == 3 and max(layer.output_shape[1:]) > 1


def _box(layer: Layer, index: int, x: float, largest: int) -> tuple[Markup, float]:
    family = next((v for k, v in _FAMILIES.items() if layer.kind.startswith(k)), "passing")
    numbers = layer.output_shape[0]
    if _is_map(layer):
        down, across = layer.output_shape[1:]
        # The square root keeps a 3x3 map visible beside a 224x224 image.
        height = _TALLEST * math.sqrt(down / largest)
        width = max(8.0, 0.42 * _TALLEST * math.sqrt(across / largest))
        sheets = max(1, min(10, round(1.5 * math.log2(numbers) + 1)))
    else:
        height, width, sheets = min(_TALLEST, 16 + 9 * math.log2(max(numbers, 2))), 12.0, 1
    depth = (sheets - 1) * _SHEET
    total = max(width + depth, 58.0)
    left = x + (total - width - depth) / 2
    top = _MIDDLE - height / 2
    drawn = [
        element("rect", x=left + _SHEET * i, y=top - _SHEET * (i - sheets / 2), width=width,
                height=height, rx=2.0, class_=f"box {family}")
        for i in reversed(range(sheets))
    ]  # fmt: skip
    middle = x + total / 2
    name = layer.name.rsplit(".", 1)
    lines = [
        svg.text(middle, 202, name[0] if len(name) > 1 else "", anchor="middle", class_="tick"),
        svg.text(middle, 217, name[-1], anchor="middle", class_="layer-name"),
        svg.text(middle, 233, "×".join(map(str, layer.output_shape)), anchor="middle",
                 class_="tick"),
    ]  # fmt: skip
    label = f"{layer.name}, {layer.kind}"
    return element("a", *drawn, *lines, href=f"#layer-{index}", aria_label=label), total
