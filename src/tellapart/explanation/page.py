"""The page of an explanation: one self-contained page without scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tellapart import wording
from tellapart.explanation.colouring import coloured
from tellapart.explanation.entries import Explained, MapPair, NotExplained
from tellapart.explanation.kinds import ALIKE, LABEL, OTHER, UNLIKE, USUAL
from tellapart.explanation.methods import Method
from tellapart.page.document import document, packaged_text
from tellapart.page.images import png_url
from tellapart.page.markup import Markup, element, join

_PIXELATED_SIDE = 96
_KIND_CLASSES = {LABEL: "label", UNLIKE: "unlike", ALIKE: "alike"}
_KIND_MEANINGS = {
    LABEL: "the images around it have the answered class",
    UNLIKE: "hardly any training image is near",
    ALIKE: "both classes are near",
    OTHER: "none of these",
    USUAL: "nothing is rare about it",
}


@dataclass(frozen=True)
class Subject:
    """What the page is about.

    Args:
        title: the run and its data.
        lead: one or two sentences about what is shown.
        notes: what a person should know, such as other views or a missing layer.
        reference: the images by which kinds are told, in words; None where there are none.
    """

    title: str
    lead: str
    notes: tuple[str, ...] = ()
    reference: str | None = None


def render_explanation(
    subject: Subject,
    methods: Sequence[Method],
    explained: Sequence[Explained],
    not_explained: Sequence[NotExplained] = (),
) -> str:
    """Return the page; the same input gives the same bytes."""
    sections = [
        _header(subject, explained),
        _guide(methods),
        element("div", *(_case(entry, methods) for entry in explained), class_="cases"),
        *_unexplained(not_explained),
    ]
    return document(
        f"{subject.title} · explanation · tellapart",
        element("main", *sections),
        styles=[
            packaged_text("tellapart.report", "page.css"),
            packaged_text("tellapart.explanation", "explanation.css"),
        ],
    )


def _header(subject: Subject, explained: Sequence[Explained]) -> Markup:
    kinds = Counter(entry.kind.name for entry in explained if entry.kind)
    is_mistakes = any(entry.is_truth for entry in explained)
    shown = (LABEL, UNLIKE, ALIKE, OTHER) if is_mistakes else (UNLIKE, ALIKE, USUAL)
    tiles = [
        element(
            "div",
            element("dt", name[0].upper() + name[1:]),
            element("dd", wording.number(kinds[name])),
            element("dd", _KIND_MEANINGS[name], class_="meaning"),
        )
        for name in shown
    ]
    return element(
        "header",
        element("p", "tellapart · explanation", class_="kicker"),
        element("h1", subject.title),
        element("p", subject.lead, class_="verdict lead"),
        *(element("p", note, class_="hint") for note in subject.notes),
        element("dl", *tiles, class_="tiles") if kinds else Markup(),
        element("p", subject.reference, class_="note") if subject.reference else Markup(),
    )


def _guide(methods: Sequence[Method]) -> Markup:
    items = [
        element("li", element("b", method.title), f": {method.meaning}.") for method in methods
    ]
    legend = element(
        "p",
        element("span", class_="swatch for"),
        "speaks for the class",
        element("span", class_="swatch against"),
        "speaks against it",
        class_="legend",
    )
    return element(
        "section",
        element("h2", "How to read the maps"),
        element("ul", *items),
        legend,
        element(
            "p",
            "The two maps of a method share one scale, so that the deeper colour is the stronger "
            "reason. A map shows what the network used, which is not always what a person would.",
            class_="note",
        ),
        class_="card guide",
        id="maps",
    )


def _case(entry: Explained, methods: Sequence[Method]) -> Markup:
    name = entry.kind.name if entry.kind else ""
    about = [
        element(
            "p",
            element("b", name[0].upper() + name[1:], class_=_KIND_CLASSES.get(name, "plain")),
            f": {entry.kind.because}.",
            class_="kind",
        )
        if entry.kind
        else Markup()
    ]
    return element(
        "article",
        element("div", _picture(entry), _maps(entry, methods), class_="evidence"),
        *about,
        _nearest(entry),
        class_="card case",
    )


def _picture(entry: Explained) -> Markup:
    role = "true" if entry.is_truth else "next"
    answer = element("b", entry.answer, class_="predicted" if entry.is_truth else None)
    return element(
        "figure",
        _image(entry.image, entry.place),
        element(
            "figcaption",
            element("span", answer, f" {wording.unbroken(wording.percent(entry.probability, 1))}"),
            element(
                "span",
                f"{role}: ",
                element("b", entry.other),
                f" {wording.unbroken(wording.percent(entry.other_probability, 1))}",
                class_="quiet",
            ),
            element("span", entry.place, class_="quiet place"),
        ),
        class_="subject",
    )


def _maps(entry: Explained, methods: Sequence[Method]) -> Markup:
    shown = [method for method in methods if method.name in entry.maps]
    corner = element("span")
    heads = [element("span", method.title, class_="method") for method in shown]
    rows = []
    for which, name in (("answer", entry.answer), ("other", entry.other)):
        rows.append(element("span", "for ", element("b", name), class_="row-name"))
        for method in shown:
            pair = entry.maps[method.name]
            rows.append(_map(entry, pair, which, f"{method.title} for {name}"))
    return element("div", corner, *heads, *rows, class_="maps", style=f"--methods:{len(shown)}")


def _map(entry: Explained, pair: MapPair, which: str, alt: str) -> Markup:
    gap = ""
    if pair.gaps:
        value = pair.gaps[0 if which == "answer" else 1]
        gap = f"; completeness gap {wording.percent(value, 2)}"
    picture = map_image(entry, pair, which)
    return _image(picture, f"{alt}{gap}")


def map_image(entry: Explained, pair: MapPair, which: str) -> Tensor:
    """Return one map over its image, uint8 (3, height, width); both maps of a pair share a scale.

    Args:
        entry: whose image is shown.
        pair: the maps.
        which: ``answer`` or ``other``.
    """
    scale = max(float(pair.answer.abs().max()), float(pair.other.abs().max()))
    return coloured(entry.image, pair.answer if which == "answer" else pair.other, scale)


def _nearest(entry: Explained) -> Markup:
    if not entry.nearest:
        return Markup()
    figures = [
        element(
            "figure",
            _image(near.image, f"training image {near.index}: {near.label}"),
            element(
                "figcaption",
                element("b", near.label),
                element("span", f"{near.distance:.2f}", class_="quiet"),
            ),
        )
        for near in entry.nearest
    ]
    heading = element("h4", "Nearest training images, with their labels and distances")
    return element("div", heading, element("div", *figures, class_="strip"), class_="nearest")


def _image(image: Tensor, alt: str) -> Markup:
    _, height, width = image.shape
    small = max(height, width) <= _PIXELATED_SIDE
    return element(
        "img",
        src=png_url(image),
        alt=alt,
        title=alt,
        width=width,
        height=height,
        class_="pixels" if small else None,
    )


def _unexplained(not_explained: Sequence[NotExplained]) -> list[Markup]:
    if not not_explained:
        return []
    items = [element("li", join(entry.error)) for entry in not_explained]
    heading = element("h2", f"Not explained: {wording.plural(len(items), 'picture')}")
    return [element("section", heading, element("ul", *items), class_="card", id="unread")]
