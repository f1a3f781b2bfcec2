"""``evaluate --corrupted``: the accuracy on images that were made worse on purpose."""

from __future__ import annotations

from torch import Tensor

from tellapart.errors import DataError
from tellapart.trust.corruptions.kinds import NUM_STRENGTHS, SMALLEST_SIDE, family_of
from tellapart.trust.corruptions.measuring import (
    CorruptedAccuracy,
    CorruptedKind,
    measure_corrupted,
)
from tellapart.trust.corruptions.page import render_corrupted
from tellapart.wording import number, percent
from tellapart.workflow.examinations.examination import Examination, TextTable
from tellapart.workflow.examinations.examined import Examined
from tellapart.workflow.examinations.sampling import spread_evenly

_MOST_IMAGES = 10_000


def examine_corrupted(examined: Examined, wanted: bool) -> Examination:
    """Measure the accuracy on fifteen corruptions, each in five strengths.

    Of more than 10,000 images, 10,000 are taken, spread evenly over the split.

    Raises:
        DataError: images with a side below 8 pixels.
    """
    del wanted  # True: otherwise nothing is examined
    _, height, width = examined.image_set.image_shape
    if min(height, width) < SMALLEST_SIDE:
        raise DataError(
            f"--corrupted needs images of at least {SMALLEST_SIDE} pixels a side, got "
            f"{width}x{height}: of smaller ones a corruption leaves nothing to see"
        )
    chosen = examined.image_set.select(spread_evenly(len(examined.image_set), _MOST_IMAGES))
    family = family_of(chosen.images)

    def answer(images: Tensor) -> Tensor:
        return examined.decide(examined.logits_of(images))

    def progress(done: int, total: int) -> None:
        examined.session.callbacks.on_progress("corrupting and classifying", done, total)

    result = measure_corrupted(chosen.images, chosen.labels, answer, family, on_progress=progress)
    middle = len(chosen) // 2
    page = render_corrupted(
        result,
        title=examined.title,
        image=chosen.images[middle],
        class_name=chosen.class_names[int(chosen.labels[middle])],
        origin={**examined.described(), "images": result.num_images, "kind of images": family},
    )
    return Examination("corrupted", result, _table(result), page)


def _table(result: CorruptedAccuracy) -> TextTable:
    total = result.num_images
    low, high = result.accuracy_interval
    mean = f"{percent(result.accuracy)} (95 % interval {percent(low)} to {percent(high)})"
    return TextTable(
        f"accuracy on {number(total)} images, corrupted in {len(result.kinds)} ways",
        ("corruption", *(f"strength {n + 1}" for n in range(NUM_STRENGTHS)), "mean"),
        [_row(kind, total) for kind in result.kinds],
        (
            ("clean", f"{percent(result.num_correct / total)} on the same images as they are"),
            ("corrupted", f"{mean}, a mean error of {percent(1 - result.accuracy)}"),
        ),
    )


def _row(kind: CorruptedKind, total: int) -> tuple[str, ...]:
    cells = (percent(correct / total, 1) for correct in kind.num_correct)
    return (kind.name, *cells, percent(kind.accuracy, 1))
