"""The report of a run as one self-contained page of HTML without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from tellapart import wording
from tellapart.evaluation import Evaluation, Mistake, most_confused
from tellapart.evaluation.rejection import RejectionCurve
from tellapart.evaluation.roc import RocCurve
from tellapart.page.markup import Markup, element
from tellapart.report import learning
from tellapart.report.confusion import NUM_CLASSES_BESIDE_TEXT, confusion_heat_map
from tellapart.report.headline import in_words, leading_figure, numbers, percent
from tellapart.report.parts import captioned_image, card, header, report_page
from tellapart.report.rejection import rejection_chart
from tellapart.report.reliability import (
    calibration_note,
    calibration_table,
    reliability_diagram,
)
from tellapart.report.roc import roc_chart, uses_logarithmic_axis
from tellapart.report.tables import class_table, entries

NUM_CONFUSED_PAIRS = 10


def render_report(
    *,
    title: str,
    evaluation: Evaluation,
    verdict: str | None = None,
    roc: Sequence[RocCurve | None] = (),
    mistakes: Sequence[tuple[Mistake, Tensor]] = (),
    rejection: RejectionCurve | None = None,
    history: Sequence[learning.HistoryRow] = (),
    recipe: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    data: Mapping[str, Any] | None = None,
) -> str:
    """Return a self-contained page about one evaluation; the same input gives the same bytes.

    Args:
        title: what was evaluated.
        evaluation: the evaluation of the predictions.
        verdict: what is wrong with the classifier as a whole; None where it is of use.
        roc: one curve per class, from `tellapart.evaluation.roc_curves`.
        mistakes: mistakes with their images, uint8 (channels, height, width), the most confident
            first.
        rejection: accuracy by the fraction of the images that is answered; None leaves it out.
        history: one row per epoch with ``epoch`` and any of ``train_loss``, ``train_accuracy``,
            ``validation_loss``, ``validation_accuracy``, ``seconds``, ``images_per_second``;
            None where a value was not measured.
        recipe: the recipe of the training, as nested tables.
        environment: machine and versions.
        data: the data of training and evaluation.

    Raises:
        ShapeError: where an image has another shape or type.
    """
    sections = [
        _headline(title, evaluation),
        *_verdict(verdict),
        _learning(history),
        _confusions(evaluation),
        element("div", _roc(roc, evaluation), _rejection(rejection, evaluation), class_="columns"),
        element("div", _reliability(evaluation), _calibration(evaluation), class_="columns"),
        _mistakes(mistakes, evaluation),
        _classes(evaluation),
        _origin({"Data": data or {}, "Recipe": recipe or {}, "Environment": environment or {}}),
    ]
    return report_page(f"{title} · {leading_figure(evaluation)}", *sections)


def _score(value: float | None) -> str:
    return wording.unbroken(wording.score(value))


def _headline(title: str, evaluation: Evaluation) -> Markup:
    tiles = [
        ("Mean F1", _score(evaluation.macro_f1), "over classes; 1 is best"),
        ("Mean AUC", _score(evaluation.macro_auc), "over classes; 0.5 is chance"),
        ("Loss", f"{evaluation.loss:.4g}", "cross-entropy; 0 is best"),
        (
            "Calibration error",
            percent(evaluation.expected_calibration_error, 10_000),
            "mean distance between confidence and accuracy"
            + ("; not calibrated" if evaluation.temperature is None else ""),
        ),
    ]
    figures = element("div", numbers(evaluation), in_words(evaluation), class_="headline")
    return header("evaluation report", title, figures, tiles=tiles)


def _verdict(verdict: str | None) -> list[Markup]:
    if verdict is None:
        return []
    return [element("p", element("strong", "Warning: "), verdict, class_="alarm", role="alert")]


def _learning(history: Sequence[learning.HistoryRow]) -> Markup:
    if not history:
        return Markup()
    return card(
        "learning",
        "How it learned",
        element(
            "div",
            learning.learning_curve(history, "loss"),
            learning.learning_curve(history, "accuracy"),
            class_="columns",
        ),
        note=_learning_note(history),
    )


def _learning_note(history: Sequence[learning.HistoryRow]) -> str:
    parts = [f"Trained for {wording.plural(len(history), 'epoch')}"]
    seconds = [value for row in history if (value := row.get("seconds")) is not None]
    if seconds:
        parts[0] += f" in {wording.unbroken(wording.duration(sum(seconds)))}"
    measured = [
        (value, row["epoch"])
        for row in history
        if (value := row.get("validation_accuracy")) is not None
    ]
    if measured:
        best, epoch = max(measured, key=lambda pair: pair[0])
        parts.append(f"the best validation accuracy was {100 * best:.2f} % after epoch {epoch:g}")
        advice = (
            " If training still improves when validation no longer does, the network is "
            "overfitting: it learns its training images by heart. Training can look worse than "
            "validation, because its images are augmented."
        )
    else:
        advice = " Loss should fall and accuracy should rise, both more and more slowly."
    return "; ".join(parts) + "." + advice


def _confusions(evaluation: Evaluation) -> Markup:
    pairs = most_confused(evaluation, NUM_CONFUSED_PAIRS)
    matrix = element("div", confusion_heat_map(evaluation), class_="matrix")
    wide = len(evaluation.class_names) > NUM_CLASSES_BESIDE_TEXT
    return card(
        "confusions",
        "Which classes are confused",
        element("div", matrix, _pairs(pairs, evaluation), class_="wide" if wide else "columns"),
        note="Each row is a true class, each column a predicted class. Blue cells on the diagonal "
        "are correct predictions, orange cells are mistakes; a deeper orange means more mistakes.",
    )


def _pairs(pairs: Sequence[tuple[int, int, int]], evaluation: Evaluation) -> Markup:
    if not pairs:
        return element("p", "No image was taken for another class.", class_="empty")
    most, names = pairs[0][2], evaluation.class_names
    items = []
    for label, prediction, count in pairs:
        support = evaluation.per_class[label].support
        names_line = element(
            "span",
            element("b", names[label]),
            element("span", " taken for ", class_="quiet"),
            element("b", names[prediction]),
            class_="pair",
        )
        fraction = element(
            "span",
            element("b", wording.number(count)),
            element("span", f" of {wording.number(support)}", class_="quiet"),
            class_="amount",
        )
        bar = element("span", class_="bar", style=f"width:{100 * count / most:.1f}%")
        items.append(element("li", names_line, fraction, bar))
    heading = element("h3", "Most confused")
    return element("div", heading, element("ol", *items, class_="pairs"))


def _roc(roc: Sequence[RocCurve | None], evaluation: Evaluation) -> Markup:
    if not any(roc):
        return Markup()
    stretched = (
        " The axes are stretched near the top left corner, where good curves lie."
        if uses_logarithmic_axis(roc)
        else " The dashed line is random guessing."
    )
    return card(
        "roc-curves",
        "Separating each class from the others",
        roc_chart(roc, evaluation.class_names, evaluation.num_images),
        note="The true positive rate is the fraction of a class that is found, the false positive "
        "rate the fraction of all other images that is mistaken for it. The sooner a curve "
        "rises, the better. The largest possible area under a curve is 1; the mean here is "
        f"{_score(evaluation.macro_auc)}."
        f"{stretched}",
    )


def _reliability(evaluation: Evaluation) -> Markup:
    return card(
        "calibration",
        "Can its confidence be trusted?",
        reliability_diagram(evaluation.reliability_bins),
        note="On the dashed line confidence and accuracy are equal: of the images predicted with "
        "80 % confidence, 80 % are correct. Below the line the classifier is overconfident. In the "
        "grey bands a perfectly calibrated classifier would lie, 95 times of 100, on as many "
        "images. The vertical lines are 95 % intervals; the bars below count images.",
    )


def _calibration(evaluation: Evaluation) -> Markup:
    return card(
        "temperature",
        "Before and after calibration",
        calibration_table(evaluation),
        note=calibration_note(evaluation),
    )


def _rejection(curve: RejectionCurve | None, evaluation: Evaluation) -> Markup:
    if curve is None:
        return Markup()
    return card(
        "rejection",
        "Leaving images unanswered",
        rejection_chart(curve),
        note="Where only the most confident predictions are answered, more of them are correct; "
        "tellapart predict --abstain-below answers so. The mean error rate over all fractions, "
        f"the area under the risk-coverage curve, is {percent(evaluation.aurc, 10_000)}.",
    )


def _mistakes(mistakes: Sequence[tuple[Mistake, Tensor]], evaluation: Evaluation) -> Markup:
    if not mistakes:
        if evaluation.num_correct < evaluation.num_images:
            return Markup()
        return card("mistakes", "Most confident mistakes", element("p", "None: all are correct."))
    return card(
        "mistakes",
        "Most confident mistakes",
        element(
            "div",
            *(_mistake(mistake, image, evaluation) for mistake, image in mistakes),
            class_="pictures",
        ),
        note="The wrong predictions with the highest confidence. Look here first for images "
        "with a wrong label, and for kinds of images that are missing in the training data.",
    )


def _mistake(mistake: Mistake, image: Tensor, evaluation: Evaluation) -> Markup:
    true, predicted = (
        evaluation.class_names[mistake.label],
        evaluation.class_names[mistake.prediction],
    )
    probability = percent(mistake.probability, 1000)
    return captioned_image(
        image,
        f"image {mistake.index}: {true} classified as {predicted}",
        element("span", element("b", predicted, class_="predicted"), f" {probability}"),
        element("span", "true: ", element("b", true), class_="quiet"),
        title=f"image {mistake.index}",
    )


def _classes(evaluation: Evaluation) -> Markup:
    return card(
        "classes",
        "Class by class",
        class_table(evaluation),
        note="Precision: the fraction of the images predicted as this class that belong to it. "
        "Recall: the fraction of the images of this class that were found. F1: the harmonic mean "
        "of the two.",
    )


def _origin(tables: Mapping[str, Mapping[str, Any]]) -> Markup:
    parts = [
        element("div", element("h3", heading), entries(table), class_="origin")
        for heading, table in tables.items()
        if table
    ]
    if not parts:
        return Markup()
    return card("origin", "How it was trained", element("div", *parts, class_="origins"))
