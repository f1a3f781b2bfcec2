"""The page of a check: what was found in a data set, with the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart import wording
from tellapart.data.image_set import DataSet
from tellapart.data.quality.findings import Audit, Finding, FoundImage
from tellapart.page.markup import Markup, element
from tellapart.report.parts import captioned_image, card, data_table, header, report_page

_NUM_GROUPS_SHOWN = 24
_NUM_IMAGES_OF_GROUP = 6
_NUM_FILES_SHOWN = 200

_VERDICTS = {
    "leak": "Not fit to be measured on: images or groups of one split are in another.",
    "fault": "Fit to be trained on, with faults that are worth mending.",
    "fact": "Nothing is wrong with it.",
}


def render_audit(data_set: DataSet, audit: Audit) -> str:
    """Return one self-contained page; the same input gives the same bytes.

    Of many groups, and of a large group, the first are shown and the rest are counted.

    Args:
        data_set: the one that was examined, for its images.
        audit: what was found in it.
    """
    gravest = audit.findings[0].severity if audit.findings else "fact"
    sections = [
        _headline(data_set, audit, _VERDICTS[gravest]),
        _classes(data_set),
        *(_finding(data_set, finding, number) for number, finding in enumerate(audit.findings)),
        _notes(data_set),
    ]
    return report_page(f"{data_set.name} · check", *sections)


def _headline(data_set: DataSet, audit: Audit, verdict: str) -> Markup:
    counts = [sum(f.severity == s for f in audit.findings) for s in ("leak", "fault", "fact")]
    tiles = [
        ("Leaks", wording.number(counts[0]), "between splits"),
        ("Faults", wording.number(counts[1]), "worth mending"),
        ("Facts", wording.number(counts[2]), "worth knowing"),
        ("Left out", wording.number(len(data_set.left_out)), "files that were found"),
    ]
    sizes = ", ".join(
        f"{split} {wording.plural(len(part), 'image')}" for split, part in data_set.splits.items()
    )
    words = element("p", f"{verdict} It holds {sizes}.", class_="verdict")
    return header("check of a data set", data_set.name, words, tiles=tiles)


def _classes(data_set: DataSet) -> Markup:
    splits = data_set.splits
    counts = {split: part.class_counts() for split, part in splits.items()}
    rows = [
        (name, *(wording.number(counts[split][label]) for split in splits))
        for label, name in enumerate(data_set.class_names)
    ]
    table = data_table("Images by class", ("Class", *splits), rows)
    return card("classes", "Images by class", table)


def _finding(data_set: DataSet, finding: Finding, number: int) -> Markup:
    shown = finding.groups[:_NUM_GROUPS_SHOWN]
    parts = [element("p", finding.message, class_="note")]
    # Short groups share a row; of a long one it is said how many images are not shown.
    run: list[Markup] = []
    for group in shown:
        run += [_figure(data_set, image) for image in group[:_NUM_IMAGES_OF_GROUP]]
        hidden = len(group) - _NUM_IMAGES_OF_GROUP
        if hidden > 0:
            parts += [element("div", *run, class_="pictures"), _more(hidden, "in this group")]
            run = []
    if run:
        parts.append(element("div", *run, class_="pictures"))
    left = len(finding.groups) - len(shown)
    if left:
        parts.append(_more(left, "such groups"))
    if finding.paths:
        parts.append(_files(finding.paths))
    heading = f"{finding.severity.capitalize()}: {finding.kind}"
    return card(f"finding-{number + 1}", heading, *parts)


def _figure(data_set: DataSet, found: FoundImage) -> Markup:
    pixels = data_set.split(found.split).images[found.index]
    where = f"{found.split}, number {found.index}"
    name = Path(found.path).name if found.path else where
    return captioned_image(
        pixels,
        f"{found.class_name}: {name}",
        element("span", element("b", found.class_name), f" in {found.split}"),
        element("span", name, class_="quiet"),
        title=found.path or where,
    )


def _files(paths: Sequence[tuple[str, str]]) -> Markup:
    rows = [
        element("div", element("dt", path), element("dd", reason))
        for path, reason in paths[:_NUM_FILES_SHOWN]
    ]
    left = len(paths) - len(rows)
    more = [_more(left)] if left else []
    return element("div", element("dl", *rows, class_="entries"), *more)


def _more(count: int, of_what: str = "") -> Markup:
    return element("p", f"and {wording.number(count)} more {of_what}".rstrip(), class_="note")


def _notes(data_set: DataSet) -> Markup:
    notes = [element("li", note) for note in data_set.notes]
    return card("notes", "How it was read", element("ul", *notes)) if notes else Markup()
