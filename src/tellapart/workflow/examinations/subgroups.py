"""``evaluate --subgroups COLUMN``: accuracy by what a table has about the images."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.errors import DataError
from tellapart.trust.comparison.paired_page import points
from tellapart.trust.comparison.subgroups import SubgroupAccuracy, measure_subgroups
from tellapart.trust.comparison.subgroups_page import render_subgroups, verdict_in_words
from tellapart.wording import did_you_mean, listed, number, percent
from tellapart.workflow.examinations.examination import Examination, TextTable
from tellapart.workflow.examinations.examined import Examined

_MOST_GROUPS = 20
_NO_VALUE = "(empty)"


def examine_subgroups(examined: Examined, column: str) -> Examination:
    """Measure the accuracy of the images with each value of a column.

    Args:
        examined: the classifier and its images, which a table names.
        column: the name of the column; an empty cell is a subgroup of its own.

    Raises:
        DataError: data without a table, a column that is not there, that has one value only, or so
            many that hardly any image has the same.
    """
    values = _values(examined, column)
    labels, answers = examined.image_set.labels, examined.answers
    num_classes = len(examined.class_names)
    result = measure_subgroups(column, values, labels.cpu(), answers, num_classes)
    page = render_subgroups(
        result,
        title=examined.title,
        images=examined.image_set.images,
        labels=labels,
        answers=answers,
        class_names=examined.class_names,
        origin={**examined.described(), "column": column},
    )
    return Examination("subgroups", result, _table(result), page)


def _values(examined: Examined, column: str) -> Sequence[str]:
    data_set, split = examined.evaluated.data_set, examined.evaluated.split
    columns = dict(data_set.columns.get(split, {}))
    if any(data_set.groups.get(split, ())):
        columns["group"] = data_set.groups[split]
    if not columns:
        raise DataError(
            f"--subgroups {column}: {data_set.name} has no columns besides path, label and split; "
            "give the images as a table (.csv) with a column that tells the subgroup of each"
        )
    if column not in columns:
        hint = did_you_mean(column, columns, f"it has: {listed(columns, limit=20)}")
        raise DataError(f"--subgroups: {data_set.name} has no column {column!r}{hint}")
    values = [value or _NO_VALUE for value in columns[column]]
    if len(values) != len(examined.image_set):
        raise DataError(
            f"--subgroups {column}: only some images of the {split} split were used, and it is not "
            "kept which; evaluate another split"
        )
    _require_groups(column, values)
    return values


def _require_groups(column: str, values: Sequence[str]) -> None:
    names = list(dict.fromkeys(values))
    if len(names) == 1:
        raise DataError(
            f"--subgroups {column}: all {number(len(values))} images have the value {names[0]!r}; "
            "choose a column with at least two values"
        )
    if len(names) > _MOST_GROUPS:
        are_numbers = all(map(_is_number, names))
        kind = "numbers" if are_numbers else "values"
        remedy = "put them into a few ranges first" if are_numbers else "choose a coarser column"
        raise DataError(
            f"--subgroups {column}: {number(len(names))} different {kind}, such as "
            f"{listed(names, 3)}, and at most {_MOST_GROUPS} are compared; {remedy}"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == _NO_VALUE
    return True


def _table(result: SubgroupAccuracy) -> TextTable:
    rows = []
    for group in result.groups:
        low, high = group.accuracy_interval
        rows.append(
            (
                group.name,
                number(group.num_images),
                percent(group.accuracy),
                f"{percent(low)} to {percent(high)}",
                percent(group.balanced_accuracy),
            )
        )
    lowest, highest = result.groups[0].name, result.groups[-1].name
    gap = points(result.largest_gap).lstrip("+")
    return TextTable(
        f"accuracy by {result.column}",
        (result.column, "images", "accuracy", "95 % interval", "balanced"),
        rows,
        (
            ("gap", f"{gap} between {highest} and {lowest}"),
            ("verdict", verdict_in_words(result)),
        ),
    )
