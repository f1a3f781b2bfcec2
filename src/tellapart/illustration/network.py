"""The page of a network: a diagram of its layers, and their feature maps for one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tellapart import ops
from tellapart.illustration.arrays import embedded, packed
from tellapart.illustration.diagram import network_diagram
from tellapart.illustration.layers import Layer
from tellapart.illustration.player import header
from tellapart.illustration.texts import TEXTS, Bilingual, translated
from tellapart.page.document import document, packaged_text
from tellapart.page.images import png_url
from tellapart.page.markup import Markup, element
from tellapart.wording import precise_percent

MOST_MAPS = 32
LARGEST_MAP_PIXELS = 64
MOST_CLASSES = 12

_PACKAGE = "tellapart.illustration"


def render_network(
    title: str,
    layers: Sequence[Layer],
    class_names: Sequence[str],
    image: Tensor | None = None,
    caption: Bilingual | None = None,
    temperature: float = 1.0,
) -> str:
    """Return a self-contained page about one network.

    Args:
        title: the name of the network.
        layers: from `trace_network`; the output of the last one is the logits.
        class_names: the class of each logit.
        image: uint8 (channels, height, width), the image of the trace; None shows the layers
            without feature maps.
        caption: where the image comes from.
        temperature: what the logits are divided by for the probabilities.
    """
    logits = layers[-1].output / temperature
    aside = [_image(image, caption), _answers(logits, class_names), _lens()]
    listing = element(
        "section",
        translated("h2", "layers"),
        translated("p", "how-network" if image is not None else "no-picture", class_="note"),
        element("ol", *_rows(layers, image is not None), class_="layers"),
        class_="card",
    )
    main = element(
        "main",
        header("tellapart show network", element("h1", title), "network-lead"),
        _totals(layers),
        element("section", element("div", network_diagram(layers), class_="scroll"), class_="card"),
        element(
            "div", listing, *([element("aside", *aside)] if image is not None else []), class_="way"
        ),
        class_="network",
    )
    content = {"texts": TEXTS, "layers": _maps(layers) if image is not None else []}
    return document(
        f"{title} · tellapart",
        main,
        embedded(content),
        styles=[packaged_text(_PACKAGE, "style.css")],
        scripts=[packaged_text(_PACKAGE, name) for name in ("shared.js", "network.js")],
    )


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as ``32 × 26 × 26``."""
    return " × ".join(map(str, shape))


def _totals(layers: Sequence[Layer]) -> Markup:
    tiles = [
        ("layers-count", len(layers)),
        ("parameters", sum(layer.num_parameters for layer in layers)),
        ("multiply-adds", sum(layer.multiply_adds for layer in layers)),
    ]
    return element(
        "dl",
        *(element("div", translated("dt", name), element("dd", f"{n:,}")) for name, n in tiles),
        class_="tiles",
    )


def _rows(layers: Sequence[Layer], with_maps: bool) -> list[Markup]:
    total = max(1, sum(layer.multiply_adds for layer in layers))
    rows = []
    for index, layer in enumerate(layers):
        fraction = 100 * layer.multiply_adds / total
        facts = element(
            "p",
            element("span", shape_text(layer.output_shape), class_="shape"),
            _fact(layer.num_parameters, "parameters"),
            _fact(layer.multiply_adds, "multiply-adds"),
            class_="facts",
        )
        bar = element(
            "span", class_="bar", style=f"width:{fraction:.1f}%", data_label="total-fraction"
        )
        maps = [element("div", class_="maps", data_layer=index)] if with_maps else []
        kind = element("span", layer.kind, class_="kind")
        detail = [element("span", layer.detail, class_="detail")] if layer.detail else []
        rows.append(
            element(
                "li",
                element("h3", layer.name, kind, *detail),
                facts,
                bar,
                *maps,
                id=f"layer-{index}",
            )
        )
    return rows


def _fact(number: int, name: str) -> Markup:
    if not number:
        return Markup()
    return element("span", element("b", f"{number:,}"), " ", translated("span", name))


def _maps(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return, for each layer, at most 32 maps as bytes with a common scale, and their ranges."""
    written = []
    for layer in layers:
        output = layer.output.float()
        maps = output if output.ndim == 3 else output.reshape(-1, 1, 1)
        shown = maps[:MOST_MAPS]
        small = _small(shown)
        scale = max(float(small.abs().max()), 1e-12)
        flat = shown.flatten(1)
        figures = torch.stack([flat.amin(1), flat.amax(1), flat.mean(1)], 1)
        written.append(
            {
                "name": layer.name,
                "maps": packed((small / scale * 127).round().to(torch.int8)),
                "figures": packed(figures),
                "more": len(maps) - len(shown),
            }
        )
    return written


def _small(maps: Tensor) -> Tensor:
    """Reduce maps to at most 64 pixels in height and width by average pooling."""
    factor = -(-max(maps.shape[1:]) // LARGEST_MAP_PIXELS)
    return maps if factor == 1 else ops.avg_pool2d(maps[None], factor)[0]


def _image(image: Tensor | None, caption: Bilingual | None) -> Markup:
    if image is None:
        return Markup()
    texts = caption or {}
    shown = element("img", src=png_url(image), alt="", class_="pixels")
    note = element("figcaption", texts.get("en", ""), data_zh=texts.get("zh"))
    return element(
        "section",
        translated("h2", "picture"),
        element("figure", shown, note),
        class_="card picture",
    )


def _answers(logits: Tensor, class_names: Sequence[str]) -> Markup:
    """Return the most probable classes with their probabilities, in class order."""
    probabilities = ops.softmax(logits.double())
    top = probabilities.topk(min(MOST_CLASSES, len(class_names))).indices
    best = int(top[0])
    rows = []
    for index in sorted(top.tolist()):
        fraction = float(probabilities[index])
        rows.append(
            element(
                "li",
                element("span", class_names[index], class_="class"),
                element(
                    "span",
                    element("span", class_="bar", style=f"width:{100 * fraction:.2f}%"),
                    class_="track",
                ),
                element("span", precise_percent(fraction, 1000), class_="fraction"),
                class_="best" if index == best else None,
            )
        )
    return element(
        "section",
        translated("h2", "probabilities"),
        element("ol", *rows, class_="answers"),
        class_="card",
    )


def _lens() -> Markup:
    return element(
        "section",
        translated("h2", "lens"),
        element("canvas", id="large", width=1, height=1, aria_hidden="true"),
        translated("p", "lens-hint", id="lens", aria_live="polite"),
        class_="card lens",
    )
