"""The report as one page of HTML: no network, no script, nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from tellapart import wording
from tellapart.evaluation import Evaluation, Mistake, most_confused
from tellapart.evaluation.roc import RocCurve
from tellapart.page.document import document, packaged_text
from tellapart.page.images import png_address
from tellapart.page.markup import Markup, element
from tellapart.report import learning
from tellapart.report.confusion import NUM_CLASSES_BESIDE_TEXT, confusion_heat_map
from tellapart.report.reliability import reliability_diagram
from tellapart.report.roc import roc_chart, uses_logarithmic_axis
from tellapart.report.tables import class_table, entries

NUM_CONFUSED_PAIRS = 10


def render_report(
    *,
    title: str,
    evaluation: Evaluation,
    roc: Sequence[RocCurve | None] = (),
    mistakes: Sequence[tuple[Mistake, Tensor]] = (),
    history: Sequence[learning.HistoryRow] = (),
    recipe: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    data: Mapping[str, Any] | None = None,
) -> str:
    """One self-contained page about one evaluation; the same input gives the same bytes.

    Args:
        title: what was evaluated.
        evaluation: of the predictions.
        roc: a curve per class, as `tellapart.evaluation.roc_curves` gives them.
        mistakes: each with its picture, uint8 (channels, height, width), the surest first.
        history: a row per epoch with ``epoch`` and any of ``train_loss``, ``train_accuracy``,
            ``validation_loss``, ``validation_accuracy``, ``seconds``, ``images_per_second``;
            None where nothing was measured.
        recipe: what decided the training, with nested tables.
        environment: on what machine, with which versions.
        data: what it was trained and evaluated on.

    Raises:
        ShapeError: where a picture is not of that shape.
    """
    sections = [
        _headline(title, evaluation),
        _learning(history),
        _confusions(evaluation),
        element("div", _roc(roc, evaluation), _reliability(evaluation), class_="columns"),
        _mistakes(mistakes, evaluation),
        _classes(evaluation),
        _origin({"Data": data or {}, "Recipe": recipe or {}, "Environment": environment or {}}),
    ]
    return document(
        f"{title} · {_accuracy(evaluation)} · tellapart",
        element("main", *sections),
        styles=[packaged_text("tellapart.report", "page.css")],
    )


def _card(name: str, heading: str, *children: str, note: str = "") -> Markup:
    """A section with its heading and the sentence that says how to read it."""
    notes = [element("p", note, class_="note")] if note else []
    return element("section", element("h2", heading), *notes, *children, class_="card", id=name)


def _percent(fraction: float, num_images: int) -> str:
    return wording.unbroken(wording.precise_percent(fraction, num_images))


def _score(value: float | None) -> str:
    return wording.unbroken(wording.score(value))


def _accuracy(evaluation: Evaluation) -> str:
    return _percent(evaluation.accuracy, evaluation.num_images)


def _headline(title: str, evaluation: Evaluation) -> Markup:
    total, correct = evaluation.num_images, evaluation.num_correct
    low, high = (_percent(fraction, total) for fraction in evaluation.accuracy_interval)
    commonest = max(row.support for row in evaluation.per_class) / total
    verdict = element(
        "p",
        f"{wording.number(correct)} of {wording.plural(total, 'picture')} named rightly, "
        f"{wording.number(total - correct)} wrongly. On new pictures of the same kind the "
        "accuracy lies, with 95 % confidence, ",
        element("strong", f"between {low} and {high}"),
        f". Always naming the commonest class would give {_percent(commonest, total)}.",
        class_="verdict",
    )
    accuracy = element("p", _accuracy(evaluation), element("span", "accuracy"), class_="number")
    tiles = [
        ("Mean F1", _score(evaluation.macro_f1), "over classes; 1 is best"),
        ("Mean AUC", _score(evaluation.macro_auc), "over classes; 0.5 is chance"),
        ("Loss", f"{evaluation.loss:.4g}", "cross-entropy; 0 is best"),
        (
            "Calibration error",
            _percent(evaluation.expected_calibration_error, 10_000),
            "between confidence and accuracy",
        ),
    ]
    return element(
        "header",
        element("p", "tellapart · evaluation report", class_="kicker"),
        element("h1", title),
        element("div", accuracy, verdict, class_="headline"),
        element("dl", *(_tile(*tile) for tile in tiles), class_="tiles"),
    )


def _tile(name: str, value: str, meaning: str) -> Markup:
    meaning_line = element("dd", meaning, class_="meaning")
    return element("div", element("dt", name), element("dd", value), meaning_line)


def _learning(history: Sequence[learning.HistoryRow]) -> Markup:
    if not history:
        return Markup()
    return _card(
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
            " Where validation stops improving while training goes on, the network learns its "
            "pictures by heart; training may also look worse than validation, because its "
            "pictures are varied on purpose."
        )
    else:
        advice = " Loss should fall and accuracy rise, both ever more slowly."
    return "; ".join(parts) + "." + advice


def _confusions(evaluation: Evaluation) -> Markup:
    pairs = most_confused(evaluation, NUM_CONFUSED_PAIRS)
    matrix = element("div", confusion_heat_map(evaluation), class_="matrix")
    wide = len(evaluation.class_names) > NUM_CLASSES_BESIDE_TEXT
    return _card(
        "confusions",
        "What it takes for what",
        element("div", matrix, _pairs(pairs, evaluation), class_="wide" if wide else "columns"),
        note="Each row is a true class, each column what it was called: blue on the diagonal is "
        "right, orange beside it is wrong, and the deeper the orange the more frequent the "
        "mistake.",
    )


def _pairs(pairs: Sequence[tuple[int, int, int]], evaluation: Evaluation) -> Markup:
    if not pairs:
        return element("p", "No picture was taken for another class.", class_="empty")
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
        " The axes are stretched towards the top left, where good curves are."
        if uses_logarithmic_axis(roc)
        else " The dashed line is guessing."
    )
    return _card(
        "roc-curves",
        "Telling each class from the rest",
        roc_chart(roc, evaluation.class_names, evaluation.num_images),
        note="The higher a curve and the sooner it rises, the better the class is told apart; "
        f"1 is the largest area under a curve, the mean here {_score(evaluation.macro_auc)}."
        f"{stretched}",
    )


def _reliability(evaluation: Evaluation) -> Markup:
    return _card(
        "calibration",
        "Does it know when it is right?",
        reliability_diagram(evaluation.reliability_bins),
        note="A dot on the dashed line means that of the pictures named with 80 % confidence, "
        "80 % were right; below the line it is too sure of itself. The whiskers are 95 % "
        "intervals, and the bars count pictures.",
    )


def _mistakes(mistakes: Sequence[tuple[Mistake, Tensor]], evaluation: Evaluation) -> Markup:
    if not mistakes:
        if evaluation.num_correct < evaluation.num_images:
            return Markup()
        return _card("mistakes", "Its surest mistakes", element("p", "None: all were right."))
    return _card(
        "mistakes",
        "Its surest mistakes",
        element(
            "div",
            *(_mistake(mistake, picture, evaluation) for mistake, picture in mistakes),
            class_="pictures",
        ),
        note="The wrong answers it was surest of: look here first for pictures with a wrong "
        "label, and for what a class lacks among its training pictures.",
    )


def _mistake(mistake: Mistake, picture: Tensor, evaluation: Evaluation) -> Markup:
    true, answer = (
        evaluation.class_names[mistake.label],
        evaluation.class_names[mistake.prediction],
    )
    _, height, width = picture.shape
    image = element(
        "img",
        src=png_address(picture),
        alt=f"picture {mistake.index}: a {true} taken for {answer}",
        title=f"picture {mistake.index}",
        width=width,
        height=height,
        class_="pixels" if max(height, width) <= 96 else None,
    )
    probability = _percent(mistake.probability, 1000)
    caption = element(
        "figcaption",
        element("span", element("b", answer, class_="said"), f" {probability}"),
        element("span", "true: ", element("b", true), class_="quiet"),
    )
    return element("figure", image, caption)


def _classes(evaluation: Evaluation) -> Markup:
    return _card(
        "classes",
        "Class by class",
        class_table(evaluation),
        note="Precision: of the pictures called so, the share that were. Recall: of the pictures "
        "that were so, the share found. F1: the harmonic mean of the two.",
    )


def _origin(tables: Mapping[str, Mapping[str, Any]]) -> Markup:
    parts = [
        element("div", element("h3", heading), entries(table), class_="origin")
        for heading, table in tables.items()
        if table
    ]
    if not parts:
        return Markup()
    return _card("origin", "How it was made", element("div", *parts, class_="origins"))
