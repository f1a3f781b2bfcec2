"""The page of the accuracy on corrupted images, with an image of each kind and strength."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from tellapart import wording
from tellapart.evaluation.metrics import wilson_interval
from tellapart.page.markup import Markup, element
from tellapart.report.parts import (
    card,
    data_table,
    header,
    headline,
    origin_card,
    report_page,
    shown_image,
)
from tellapart.trust.corruptions.kinds import NUM_STRENGTHS, corrupt
from tellapart.trust.corruptions.measuring import CorruptedAccuracy, CorruptedKind

_LARGEST_SHOWN = 96
_SOURCES = {
    "drawings": "Mu and Gilmer's MNIST-C",
    "photographs": "Hendrycks and Dietterich's ImageNet-C",
}


def render_corrupted(
    result: CorruptedAccuracy,
    *,
    title: str,
    image: Tensor,
    class_name: str,
    origin: Mapping[str, Any],
) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        result: the accuracies.
        title: what was evaluated.
        image: uint8 (channels, height, width), which is shown in every corruption.
        class_name: its class.
        origin: where the figures come from, by name.
    """
    return report_page(
        f"{title}, corrupted",
        _header(result, title),
        _kinds(result, image, class_name),
        origin_card(origin),
    )


def _header(result: CorruptedAccuracy, title: str) -> Markup:
    total, weakest = result.num_images, result.weakest
    strongest = max(result.kinds, key=lambda kind: kind.accuracy)
    low, high = (wording.percent(end, 1) for end in result.accuracy_interval)
    clean = wording.precise_percent(result.num_correct / total, total)
    tiles = [
        ("As they are", wording.unbroken(clean), "accuracy on the same images"),
        ("Mean error", wording.percent(1 - result.accuracy, 1), "over all kinds and strengths"),
        (
            f"Weakest: {weakest.name}",
            wording.percent(weakest.accuracy, 1),
            "mean accuracy of the five strengths",
        ),
        (
            f"Best: {strongest.name}",
            wording.percent(strongest.accuracy, 1),
            "mean accuracy of the five strengths",
        ),
    ]
    return header(
        "corrupted images",
        title,
        headline(
            wording.unbroken(wording.percent(result.accuracy, 1)),
            "mean accuracy on corrupted images",
            f"{wording.plural(total, 'image')} were corrupted in {len(result.kinds)} ways, each in "
            f"{NUM_STRENGTHS} strengths, and classified again. With 95 % confidence, the mean "
            "accuracy on new images of the same kind, corrupted like these, lies ",
            element("strong", f"between {low} and {high}"),
            f". The kinds are those of {_SOURCES[result.family]}; nobody promises that others are "
            "as harmless.",
        ),
        tiles=tiles,
    )


def _kinds(result: CorruptedAccuracy, image: Tensor, class_name: str) -> Markup:
    heads = ("Kind", "Mean", *(f"Strength {n + 1}" for n in range(NUM_STRENGTHS)))
    rows = [_row(kind, result, image, class_name) for kind in result.kinds]
    original = element("span", shown_image(_shrunk(image), class_name), class_="sample")
    return card(
        "kinds",
        "Accuracy by kind and strength",
        element("p", original, class_="note"),
        data_table("Accuracy by kind and strength", heads, rows, whole=True),
        note=f"One image, of class {class_name}: as it is, and in every corruption. Below each is "
        "the accuracy on all images that were corrupted so; pointing at a figure shows its 95 % "
        "interval.",
    )


def _row(
    kind: CorruptedKind, result: CorruptedAccuracy, image: Tensor, class_name: str
) -> tuple[str, ...]:
    cells = []
    for place, correct in enumerate(kind.num_correct):
        changed = corrupt(image[None], kind.name, place + 1, family=result.family)[0]
        low, high = wilson_interval(correct, result.num_images)
        interval = f"{wording.percent(low)} to {wording.percent(high)}"
        figure = wording.percent(correct / result.num_images, 1)
        alt = f"{class_name}, {kind.name}, strength {place + 1}"
        shown = shown_image(_shrunk(changed), alt)
        cells.append(
            element("span", shown, element("span", figure, title=interval), class_="sample")
        )
    ends = (wording.percent(end, 1) for end in kind.accuracy_interval)
    mean = element("b", wording.percent(kind.accuracy, 1), title=" to ".join(ends))
    return (kind.name, mean, *cells)


def _shrunk(image: Tensor) -> Tensor:
    """The image with its longer side at most 96 pixels."""
    factor = _LARGEST_SHOWN / max(image.shape[-2:])
    if factor >= 1:
        return image
    size = [max(1, round(side * factor)) for side in image.shape[-2:]]
    small = interpolate(image[None].float(), size, mode="area")[0]
    return small.round().to(image.dtype)
