"""The page of an explanation: one self-contained page without scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tellapart import wording
from tellapart.explanation.colouring import coloured
from tellapart.explanation.entries import Explained, MapPair, NotExplained
from tellapart.explanation.kinds import ALIKE, LABEL, OTHER, UNLIKE, USUAL, Reference
from tellapart.explanation.methods import Method
from tellapart.page.document import packaged_text
from tellapart.page.images import png_url
from tellapart.page.markup import Markup, element
from tellapart.report.parts import card, header, headline, report_page

_PIXELATED_SIDE = 96
_KIND_STYLES = {LABEL: "label", UNLIKE: "unlike", ALIKE: "alike"}
_KIND_MEANINGS = {
    LABEL: "its nearest training images all have the answered class",
    UNLIKE: "farther from them than other images are",
    ALIKE: "training images of both classes are near",
    OTHER: "none of these",
    USUAL: "neither of these",
}


@dataclass(frozen=True)
class Subject:
    """What the page is about.

    Args:
        title: the run and its data.
        lead: a sentence about what is shown.
        notes: what a person should know, such as other views or a method that was left out.
        reference: the images by which kinds are told; None where there are none.
    """

    title: str
    lead: str
    notes: tuple[str, ...] = ()
    reference: Reference | None = None


def render_explanation(
    subject: Subject,
    methods: Sequence[Method],
    explained: Sequence[Explained],
    not_explained: Sequence[NotExplained] = (),
    *further: str,
) -> str:
    """Return the page; the same input gives the same bytes.

    Args:
        subject: what it is about.
        methods: those of the heat maps.
        explained: the images, in the order of the page.
        not_explained: the pictures that could not be explained.
        further: further cards, placed before the images.
    """
    return report_page(
        f"{subject.title} · explanation",
        _header(subject, explained),
        *further,
        _guide(methods, explained),
        element("div", *(_case(entry, methods) for entry in explained), class_="cases"),
        *_not_explained(not_explained),
        styles=[packaged_text("tellapart.explanation", "explanation.css")],
    )


def map_image(entry: Explained, pair: MapPair, which: str) -> Tensor:
    """Return one map over its image, uint8 (3, height, width); both maps of a pair share a scale.

    Args:
        entry: the explained image.
        pair: its maps.
        which: ``answer`` or ``other``.
    """
    scale = max(float(pair.answer.abs().max()), float(pair.other.abs().max()))
    return coloured(entry.image, pair.answer if which == "answer" else pair.other, scale)


def _header(subject: Subject, explained: Sequence[Explained]) -> Markup:
    kinds = Counter(entry.kind.name for entry in explained if entry.kind)
    has_truth = any(entry.is_truth for entry in explained)
    shown = (LABEL, UNLIKE, ALIKE, OTHER) if has_truth else (UNLIKE, ALIKE, USUAL)
    tiles = [
        (_capital(name), wording.number(kinds[name]), _KIND_MEANINGS[name])
        for name in shown
        if kinds
    ]
    noun = "mistake" if has_truth else "picture"
    count, _, nouns = wording.plural(len(explained), noun).partition(" ")
    notes = [element("p", f"Note: {note}.", class_="hint") for note in subject.notes]
    figure = headline(count, f"{nouns} explained", subject.lead)
    compared = [_compared(subject.reference)] if subject.reference and kinds else []
    parts = header("explanation", subject.title, figure, *notes, tiles=tiles)
    return element("div", parts, *compared, class_="head")


def _compared(reference: Reference) -> Markup:
    return element(
        "p",
        "Kinds are told by distances between features of the network. A figure is rare if at most "
        f"1 % of {wording.number(reference.num_images)} {reference.name} have one as extreme; the "
        "test split is not used for that. A kind is a reason to look, not a proof.",
        class_="note",
    )


def _guide(methods: Sequence[Method], explained: Sequence[Explained]) -> Markup:
    if not explained:
        return Markup()
    items = [
        element("li", element("b", method.title), f": {method.meaning}.") for method in methods
    ]
    legend = element(
        "p",
        element("span", element("i", class_="swatch for"), "speaks for the class"),
        element("span", element("i", class_="swatch against"), "speaks against it"),
        class_="legend",
    )
    gaps = [gap for entry in explained for pair in entry.maps.values() for gap in pair.gaps or ()]
    complete = (
        " The integrated gradients of an image add up to its score but for at most "
        f"{wording.percent(max(gaps))} (completeness gap)."
        if gaps
        else ""
    )
    return card(
        "maps",
        "How to read the maps",
        element("ul", *items),
        legend,
        note="The two maps of a method share one scale, so that the deeper colour is the stronger "
        "reason. A map shows what the network used, which is not always what a person would use."
        + complete,
    )


def _case(entry: Explained, methods: Sequence[Method]) -> Markup:
    return element(
        "article",
        element("div", _picture(entry), _maps(entry, methods), class_="evidence"),
        _kind(entry),
        _nearest(entry),
        class_="card case",
    )


def _picture(entry: Explained) -> Markup:
    role = "truth" if entry.is_truth else "next"
    answer = element("b", entry.answer, class_="predicted" if entry.is_truth else None)
    lines = [
        element("span", answer, f" {wording.unbroken(wording.percent(entry.probability, 1))}"),
        element(
            "span",
            f"{role}: ",
            element("b", entry.other),
            f" {wording.unbroken(wording.percent(entry.other_probability, 1))}",
            class_="quiet",
        ),
        element("span", entry.place, class_="quiet place"),
    ]
    caption = element("figcaption", *lines)
    return element("figure", _image(entry.image, entry.place), caption, class_="subject")


def _maps(entry: Explained, methods: Sequence[Method]) -> Markup:
    shown = [method for method in methods if method.name in entry.maps]
    heads = [element("span", method.title, class_="method") for method in shown]
    rows = []
    for which, name in (("answer", entry.answer), ("other", entry.other)):
        rows.append(element("span", "for ", element("b", name), class_="row-name"))
        rows += [_map(entry, entry.maps[method.name], which, method, name) for method in shown]
    corner = element("span")
    return element("div", corner, *heads, *rows, class_="maps", style=f"--methods:{len(shown)}")


def _map(entry: Explained, pair: MapPair, which: str, method: Method, name: str) -> Markup:
    gap = ""
    if pair.gaps:
        value = pair.gaps[0 if which == "answer" else 1]
        gap = f"; completeness gap {wording.percent(value)}"
    return _image(map_image(entry, pair, which), f"{method.title} for {name}{gap}")


def _kind(entry: Explained) -> Markup:
    if entry.kind is None:
        return Markup()
    name = entry.kind.name
    style = _KIND_STYLES.get(name, "plain")
    shown = element("b", _capital(name), class_=style)
    return element("p", shown, f": {entry.kind.because}.", class_="kind")


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
    is_small = max(height, width) <= _PIXELATED_SIDE
    return element(
        "img",
        src=png_url(image),
        alt=alt,
        title=alt,
        width=width,
        height=height,
        class_="pixels" if is_small else None,
    )


def _not_explained(entries: Sequence[NotExplained]) -> list[Markup]:
    if not entries:
        return []
    items = [element("li", entry.reason) for entry in entries]
    heading = f"Not explained: {wording.plural(len(items), 'picture')}"
    return [card("not-explained", heading, element("ul", *items))]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
