"""The parts that all pages in the report's style share: the page itself, cards, tiles, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from tellapart.page.document import document, packaged_text
from tellapart.page.images import png_url
from tellapart.page.markup import Markup, element
from tellapart.report.tables import entries

# Images up to this side are enlarged without smoothing, so that their pixels can be seen.
_PIXELATED_SIDE = 96


def report_page(title: str, *sections: str, styles: Sequence[str] = ()) -> str:
    """Return a self-contained page in the report's style; the same input gives the same bytes.

    Args:
        title: the title of the window.
        sections: the header and the cards of the page, from the top down.
        styles: further styles, as CSS, that only this kind of page needs.
    """
    return document(
        f"{title} · tellapart",
        element("main", *sections),
        styles=[packaged_text("tellapart.report", "page.css"), *styles],
    )


def card(name: str, heading: str, *children: str, note: str = "") -> Markup:
    """Return a section with a heading and a note that explains how to read it.

    Args:
        name: its identifier, unique on the page.
        heading: what it shows.
        children: its content.
        note: how to read it; empty leaves the note out.
    """
    notes = [element("p", note, class_="note")] if note else []
    return element("section", element("h2", heading), *notes, *children, class_="card", id=name)


def header(
    kicker: str, title: str, *children: str, tiles: Sequence[tuple[str, str, str]] = ()
) -> Markup:
    """Return the head of a page: the kind of page, what it is about, and its main figures.

    Args:
        kicker: the kind of page, in small type.
        title: what it is about.
        children: the leading figure and the verdict.
        tiles: further figures, each (name, value, meaning).
    """
    return element(
        "header",
        element("p", f"tellapart · {kicker}", class_="kicker"),
        element("h1", title),
        *children,
        *([element("dl", *(_tile(*tile) for tile in tiles), class_="tiles")] if tiles else []),
    )


def _tile(name: str, value: str, meaning: str) -> Markup:
    meaning_line = element("dd", meaning, class_="meaning")
    return element("div", element("dt", name), element("dd", value), meaning_line)


def headline(value: str, name: str, *sentences: str) -> Markup:
    """Return the leading figure of a page in large type, and beside it what it means.

    Args:
        value: the figure.
        name: what it is, in a few words.
        sentences: text or markup.
    """
    number = element("p", value, element("span", name), class_="number")
    return element("div", number, element("p", *sentences, class_="verdict"), class_="headline")


def data_table(
    label: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, whole: bool = False
) -> Markup:
    """Return a table whose first column names the rows.

    Args:
        label: what the table shows, for screen readers.
        heads: the heads of the columns.
        rows: a cell, text or markup, for each head.
        whole: show all rows at once, however many; by default a long table scrolls.
    """
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    lines = [
        element("tr", element("th", row[0], scope="row"), *(element("td", c) for c in row[1:]))
        for row in rows
    ]
    table = element("table", element("thead", head), element("tbody", *lines))
    class_ = "scroll whole" if whole else "scroll"
    return element("div", table, class_=class_, tabindex="0", role="region", aria_label=label)


def shown_image(image: Tensor, alt: str, title: str = "") -> Markup:
    """Return an image; a small one is enlarged without smoothing.

    Args:
        image: uint8 (channels, height, width); of other than 1 or 3 channels the first is shown.
        alt: what the image shows, for screen readers.
        title: shown when the pointer rests on the image.

    Raises:
        ShapeError: an image of another shape or type.
    """
    _, height, width = image.shape
    return element(
        "img",
        src=png_url(image if len(image) in (1, 3) else image[:1]),
        alt=alt,
        title=title or None,
        width=width,
        height=height,
        class_="pixels" if max(height, width) <= _PIXELATED_SIDE else None,
    )


def captioned_image(image: Tensor, alt: str, *lines: str, title: str = "") -> Markup:
    """Return an image, as `shown_image` does, with a caption of ``lines``, text or markup."""
    caption = element("figcaption", *lines)
    return element("figure", shown_image(image, alt, title), caption)


def origin_card(origin: Mapping[str, Any], heading: str = "How it was measured") -> Markup:
    """Return a card with the origin of a page's figures, by name."""
    return card("origin", heading, entries(origin))
