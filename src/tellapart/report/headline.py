"""The head of the report: accuracy, balanced accuracy and baseline, as numbers and in words."""

from __future__ import annotations

from tellapart import wording
from tellapart.evaluation import Evaluation
from tellapart.page.markup import Markup, element


def percent(fraction: float, num_images: int) -> str:
    """Return a fraction as a percentage that shows a single image, on one line."""
    return wording.unbroken(wording.precise_percent(fraction, num_images))


def leading_figure(evaluation: Evaluation) -> str:
    """Return the figure of the page's title: balanced accuracy if classes are unequal."""
    accuracy, balanced, _ = _percentages(evaluation)
    return f"{balanced} balanced" if evaluation.is_unbalanced else accuracy


def numbers(evaluation: Evaluation) -> Markup:
    """Return accuracy with its baseline, after balanced accuracy if classes are unequal."""
    accuracy, balanced, baseline = _percentages(evaluation)
    small = element("small", wording.unbroken(f" · baseline {baseline}"))
    if not evaluation.is_unbalanced:
        return _number(accuracy, "accuracy", small)
    first = _number(balanced, wording.unbroken("balanced accuracy"))
    second = _number(accuracy, "accuracy", small, class_="number second")
    return element("div", first, second, class_="numbers")


def in_words(evaluation: Evaluation) -> Markup:
    """Return the counts, the baseline and the interval of the leading figure as a paragraph."""
    total, correct = evaluation.num_images, evaluation.num_correct
    parts: list[str] = [
        f"{wording.number(correct)} of {wording.plural(total, 'image')} classified correctly, "
        f"{wording.number(total - correct)} incorrectly. Always predicting the most common class, ",
        element("b", evaluation.majority_class),
        f", would give {percent(evaluation.majority_baseline, total)}. ",
    ]
    name, interval = "accuracy", evaluation.accuracy_interval
    if evaluation.is_unbalanced:
        name, interval = "balanced accuracy", evaluation.balanced_accuracy_interval
        parts.append(
            "Accuracy measures mostly the large classes here; balanced accuracy is the mean of the "
            "classes' recalls, so that every class counts the same. "
        )
    low, high = (percent(fraction, total) for fraction in interval)
    parts += [
        f"With 95 % confidence, the {name} on new images of the same kind lies ",
        element("strong", f"between {low} and {high}"),
        ".",
    ]
    for name, threshold in evaluation.thresholds.items():
        parts += [
            " ",
            element("b", name),
            f" is predicted from a probability of {wording.score(threshold)} on, and below it the "
            "most probable other class.",
        ]
    return element("p", *parts, class_="verdict")


def _percentages(evaluation: Evaluation) -> tuple[str, str, str]:
    """Accuracy, balanced accuracy and baseline."""
    figures = (evaluation.accuracy, evaluation.balanced_accuracy, evaluation.majority_baseline)
    accuracy, balanced, baseline = (percent(part, evaluation.num_images) for part in figures)
    return accuracy, balanced, baseline


def _number(value: str, *name: str, class_: str = "number") -> Markup:
    return element("p", value, element("span", *name), class_=class_)
