"""The page of suspicious labels: each image with the label it has and the one that fits better."""

from __future__ import annotations

from collections import Counter

from tellapart import wording
from tellapart.data.image_set import DataSet
from tellapart.page.markup import Markup, element
from tellapart.report.parts import captioned_image, card, data_table, header, headline, report_page
from tellapart.trust.labels.check import LabelCheck, SuspiciousLabel
from tellapart.trust.labels.folds import NUM_FOLDS

_NUM_SHOWN, _NUM_PAIRS = 240, 12


def render_labels(data_set: DataSet, found: LabelCheck, file: str) -> str:
    """Return one self-contained page; the same input gives the same bytes.

    Args:
        data_set: the one that was examined, for its images.
        found: its suspicious labels; of many the first are shown.
        file: the name of the file of corrections beside the page.
    """
    return report_page(
        f"{data_set.name} · labels",
        _header(data_set, found),
        _images(data_set, found, file),
        *([_pairs(found)] if found.suspicious else []),
        _how(found),
    )


def _header(data_set: DataSet, found: LabelCheck) -> Markup:
    total = sum(map(len, data_set.splits.values()))
    counts = Counter(label.place[0] for label in found.suspicious)
    verdict = (
        "labels look wrong: classifiers that were not trained on the image give another class, "
        "with enough confidence. Look at them before you believe it: some will be odd images with "
        "the right label."
        if found.suspicious
        else "label looks wrong to classifiers that were not trained on the image."
    )
    number = wording.number(len(found.suspicious))
    sentence = f"Of {wording.plural(total, 'image')}, {number} {verdict}"
    tiles = [
        (
            f"In {split}",
            wording.number(counts[split]),
            f"of {wording.plural(len(part), 'image')}",
        )
        for split, part in data_set.splits.items()
    ]
    tiles += [
        ("Agreement", wording.percent(value), f"of {split} labels with the classifiers' answers")
        for split, value in list(found.accuracies.items())[: 4 - len(tiles)]
    ]
    return header(
        "check of labels",
        data_set.name,
        headline(number, "suspicious labels", sentence),
        tiles=tiles,
    )


def _images(data_set: DataSet, found: LabelCheck, file: str) -> Markup:
    shown = found.suspicious[:_NUM_SHOWN]
    if not shown:
        return card("suspicious", "Suspicious labels", element("p", "None.", class_="empty"))
    of_many = (
        f" Shown are the first {_NUM_SHOWN}; the file has all."
        if len(found.suspicious) > len(shown)
        else ""
    )
    return card(
        "suspicious",
        "The most suspicious first",
        element("div", *(_image(data_set, label) for label in shown), class_="pictures"),
        note=f"The suggested class in colour, then the label that the image has; with their "
        f"probabilities.{of_many} {file} lists the same images in the same order: delete the lines "
        "that you do not agree with, or write another class, and give it as "
        "corrections to train, evaluate or a further check.",
    )


def _image(data_set: DataSet, label: SuspiciousLabel) -> Markup:
    split, index = label.place
    where = label.path or f"{label.split}, number {label.index}"
    name = label.path.rpartition("/")[2] or f"{label.split} {label.index}"
    return captioned_image(
        data_set.split(split).images[index],
        f"labelled {label.given}, probably {label.suggested}: {where}",
        element(
            "span",
            element("b", label.suggested, class_="predicted"),
            f" {wording.unbroken(wording.precise_percent(label.probability, 1000))}",
        ),
        element(
            "span",
            "not ",
            element("b", label.given),
            f" {wording.unbroken(wording.precise_percent(label.given_probability, 1000))}",
        ),
        element("span", name, class_="quiet"),
        title=where,
    )


def _pairs(found: LabelCheck) -> Markup:
    pairs = Counter((label.given, label.suggested) for label in found.suspicious)
    rows = [
        (given, suggested, wording.number(count))
        for (given, suggested), count in pairs.most_common(_NUM_PAIRS)
    ]
    more = f" The {_NUM_PAIRS} most frequent of {len(pairs):,}." if len(pairs) > len(rows) else ""
    return card(
        "pairs",
        "Which labels are confused",
        data_table("Confused labels", ("Labelled", "Probably", "Images"), rows),
        note=f"Many of one kind point to a misunderstanding, not to slips.{more}",
    )


def _how(found: LabelCheck) -> Markup:
    items = [
        f"The images of train were divided into {NUM_FOLDS} parts, near duplicates and groups "
        f"undivided; for each part a classifier was trained on the others by the recipe "
        f"{found.recipe!r}. Other splits were never trained on: their probabilities are the mean "
        "of those classifiers.",
        "Confident learning decides how many labels are wrong, and which "
        "(Northcutt and others, 2021).",
    ]
    if found.not_examined:
        items.append(f"{found.not_examined_in_words().capitalize()}.")
    return card("how", "How they were found", element("ul", *(element("li", i) for i in items)))
