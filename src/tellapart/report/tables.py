"""The tables of the report: scores per class, and nested settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart import wording
from tellapart.evaluation import Evaluation
from tellapart.page.markup import Markup, element, join


def class_table(evaluation: Evaluation) -> Markup:
    """Return a row for each class, with the number missed and its scores; means at the foot."""
    heads = ("Class", "Images", "Missed", "Precision", "Recall", "F1", "AUC")
    hits = [row[index] for index, row in enumerate(evaluation.confusion_matrix)]
    missed = [row.support - hit for row, hit in zip(evaluation.per_class, hits, strict=True)]
    most = max(*missed, 1)
    rows = [
        element(
            "tr",
            element("th", row.name, scope="row"),
            element("td", wording.number(row.support)),
            _missed_cell(count, most),
            *(
                element("td", wording.score(v))
                for v in (row.precision, row.recall, row.f1, row.auc)
            ),
        )
        for row, count in zip(evaluation.per_class, missed, strict=True)
    ]
    table = element(
        "table",
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *rows),
        element("tfoot", *_mean_rows(evaluation, sum(missed))),
    )
    return element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label="Class by class"
    )


def _missed_cell(count: int, most: int) -> Markup:
    bar = element("span", class_="bar", style=f"width:{100 * count / most:.1f}%")
    amount = element("span", wording.number(count))
    return element("td", element("span", bar, amount, class_="missed"))


def _mean_rows(evaluation: Evaluation, num_missed: int) -> list[Markup]:
    macro = (evaluation.macro_precision, evaluation.macro_recall, evaluation.macro_f1)
    weighted = (evaluation.weighted_precision, evaluation.weighted_recall, evaluation.weighted_f1)
    totals = (wording.number(evaluation.num_images), wording.number(num_missed))
    rows = [
        ("Mean over classes", *totals, *map(wording.score, (*macro, evaluation.macro_auc))),
        ("Mean over images", *totals, *map(wording.score, weighted), ""),
    ]
    return [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", value) for value in row[1:]),
        )
        for row in rows
    ]


def entries(table: Mapping[str, Any]) -> Markup:
    """Return the plain values of a table first, then each nested table under its name."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    rows = [
        element("div", element("dt", _readable(key)), element("dd", _value(value)))
        for key, value in plain.items()
    ]
    own = [element("dl", *rows, class_="entries")] if rows else []
    inner = [join(element("h4", _readable(key)), entries(value)) for key, value in nested.items()]
    return join(*own, *inner)


def _readable(key: str) -> str:
    return str(key).replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "" or value == () or value == []:
        return wording.NOT_DEFINED
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
