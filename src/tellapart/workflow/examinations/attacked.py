"""``evaluate --attacked``: the accuracy on images that were changed to mislead the classifier."""

from __future__ import annotations

from torch import Tensor

from tellapart.evaluation import evaluation_mode
from tellapart.trust.attacks.measuring import AttackedAccuracy, measure_attacked
from tellapart.trust.attacks.page import WHAT_IT_SHOWS, half_in_words, render_attacked
from tellapart.trust.corruptions.kinds import Family, family_of
from tellapart.wording import number, percent
from tellapart.workflow.examinations.examination import Examination, TextTable
from tellapart.workflow.examinations.examined import Examined
from tellapart.workflow.examinations.sampling import spread_evenly

# Levels of 255. Digits stay legible up to 0.3 of the range, where photographs fall much earlier.
_LEVELS: dict[Family, tuple[int, ...]] = {
    "drawings": (4, 8, 16, 32, 48, 64, 76),
    "photographs": (1, 2, 4, 8, 16),
}
# An attack costs sixty times a prediction, and so much more the larger the images are.
_MOST_IMAGES = ((32 * 32, 250), (64 * 64, 100))
_MOST_LARGE_IMAGES = 50


def examine_attacked(examined: Examined, wanted: bool) -> Examination:
    """Measure the accuracy under projected gradient descent, by its strength.

    Of small images 250 are attacked, of larger ones 100 or 50, spread evenly over the split.
    """
    del wanted  # True: otherwise nothing is examined
    image_set = examined.image_set
    chosen = image_set.select(spread_evenly(len(image_set), _most(image_set.image_shape)))
    chosen = chosen.to(examined.device)
    family = family_of(chosen.images)
    predictor = examined.predictor

    def logits_of(pixels: Tensor) -> Tensor:
        logits: Tensor = predictor.logits_of_pixels(pixels)  # type: ignore[operator]
        return logits

    def answer(images: Tensor) -> Tensor:
        return examined.decide(examined.logits_of(images))

    def progress(done: int, total: int) -> None:
        examined.session.callbacks.on_progress("attacking", done, total)

    labels = chosen.labels.cpu()
    with evaluation_mode(predictor):
        result = measure_attacked(
            logits_of, chosen.images, labels, answer, _LEVELS[family], on_progress=progress
        )
    page = render_attacked(
        result,
        title=examined.title,
        images=chosen.images,
        labels=labels,
        class_names=chosen.class_names,
        origin={**examined.described(), "images attacked": result.num_images},
    )
    return Examination("attacked", result, _table(result), page)


def _most(shape: tuple[int, int, int]) -> int:
    pixels = shape[1] * shape[2]
    return next((most for limit, most in _MOST_IMAGES if pixels <= limit), _MOST_LARGE_IMAGES)


def _table(result: AttackedAccuracy) -> TextTable:
    rows = [
        (f"{level} of 255", percent(accuracy), f"{percent(low)} to {percent(high)}")
        for level, accuracy, (low, high) in zip(
            result.levels, result.accuracies(), result.intervals(), strict=True
        )
    ]
    return TextTable(
        f"accuracy on {number(result.num_images)} images, attacked by projected gradient descent",
        ("largest change of a pixel", "accuracy", "95 % interval"),
        rows,
        (("strength", half_in_words(result)), ("note", WHAT_IT_SHOWS)),
    )
