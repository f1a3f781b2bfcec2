"""The page that plays scenes: input, arithmetic and result side by side, with controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tellapart.illustration.arrays import embedded, packed
from tellapart.illustration.scenes import Field, Scene
from tellapart.illustration.texts import TEXTS, Bilingual, translated
from tellapart.page.document import document, packaged_text
from tellapart.page.markup import Markup, element

_PACKAGE = "tellapart.illustration"
_SCRIPTS = (
    *("shared.js", "grid.js", "player.js", "curve.js"),
    *("moving.js", "pointing.js", "begin.js"),
)

#: The small grids between input and output, by kind of page: name and the sign before it.
_WORK = {
    "convolution": (("under", ""), ("kernel", "×"), ("products", "=")),
    "pooling": (("window", ""),),
    "activation": (),
}
_ICONS = {
    "first": "M6 5v14M19 5 9 12l10 7z",
    "back": "M16 5 6 12l10 7z",
    "play": "M7 4v16l13-8z",
    "forward": "M8 5l10 7-10 7z",
    "last": "M18 5v14M5 5l10 7-10 7z",
}


def render_player(kind: str, scenes: Sequence[Scene], opened: int = 0) -> str:
    """Return a self-contained page that plays scenes; it opens paused.

    Args:
        kind: convolution, pooling or activation.
        scenes: the scenes to choose from.
        opened: index of the scene that is shown first.
    """
    title = TEXTS[f"{kind}-title"]
    main = element(
        "main",
        header(f"tellapart show {kind}", translated("h1", f"{kind}-title"), f"{kind}-lead"),
        _chooser(kind),
        _stage(kind),
        _notes(),
        class_="player",
        data_kind=kind,
    )
    return document(
        f"{title['en']} · tellapart",
        main,
        embedded(_content(kind, title, scenes, opened)),
        styles=[packaged_text(_PACKAGE, "style.css")],
        scripts=[packaged_text(_PACKAGE, name) for name in _SCRIPTS],
    )


def header(kicker: str, title: Markup, lead: str) -> Markup:
    """Return the top of a page, with the button that switches the language."""
    switch = translated(
        "button", "language", id="language", type="button", data_label="language-label", lang="zh"
    )
    return element(
        "header",
        element("p", kicker, class_="kicker"),
        switch,
        title,
        translated("p", lead, class_="lead"),
    )


def _content(kind: str, title: Bilingual, scenes: Sequence[Scene], opened: int) -> dict[str, Any]:
    fields: list[Field] = []
    written = []
    for scene in scenes:
        index = next((i for i, known in enumerate(fields) if _is_same(known, scene.field)), None)
        if index is None:
            index = len(fields)
            fields.append(scene.field)
        written.append({"field": index, **scene.to_json()})
    return {
        "kind": kind,
        "title": title,
        "texts": TEXTS,
        "opened": opened,
        "fields": [
            {"values": packed(f.values), "caption": f.caption, "isImage": f.is_image}
            for f in fields
        ],
        "scenes": written,
    }


def _is_same(known: Field, field: Field) -> bool:
    return known.caption == field.caption and torch.equal(known.values, field.values)


def _chooser(kind: str) -> Markup:
    return element(
        "section",
        translated("h2", f"choose-{kind}", class_="choose"),
        element("div", id="scenes", role="group", data_label=f"choose-{kind}"),
        element("p", id="meaning", class_="meaning"),
        class_="chooser",
    )


def _stage(kind: str) -> Markup:
    return element(
        "section",
        element(
            "div",
            _grid("input", "figure"),
            element("div", *_work(kind), class_="work"),
            _grid("output", "figure"),
            class_="grids",
        ),
        element("p", id="expression", class_="expression"),
        _controls(),
        class_="card stage",
    )


def _grid(name: str, tag: str, sign: str = "") -> Markup:
    heading = [element("span", sign, class_="sign", aria_hidden="true")] if sign else []
    return element(
        tag,
        element("h3", *heading, translated("span", name), element("span", class_="shape")),
        element("svg", id=name, role="img", class_="grid", data_label=name),
        element("p", class_="caption", aria_live="polite" if name == "output" else None),
        class_=f"panel {name}",
    )


def _work(kind: str) -> list[Markup]:
    parts = [_grid(name, "div", sign) for name, sign in _WORK[kind]]
    if kind == "convolution":
        parts.insert(0, element("div", id="channel", class_="channel", hidden="hidden"))
    if kind == "activation":
        parts.append(element("svg", id="curve", role="img", viewBox="0 0 240 200", class_="curve"))
    name = {"convolution": "sum", "pooling": "max", "activation": "value"}[kind]
    result = translated("span", name, id="result-name")
    parts.append(element("p", result, element("output", id="result"), class_="result"))
    return parts


def _controls() -> Markup:
    buttons = [
        element(
            "button",
            element("svg", element("path", d=icon), viewBox="0 0 24 24", aria_hidden="true"),
            type="button",
            id=name,
            class_="primary" if name == "play" else None,
            data_label=name,
        )
        for name, icon in _ICONS.items()
    ]
    slider = element(
        "input", type="range", id="place", min="0", value="0", step="1", data_label="place"
    )
    paces = [
        translated("option", f"pace-{pace}", value=pace) for pace in ("slow", "steady", "fast")
    ]
    return element(
        "div",
        element("div", *buttons, class_="buttons"),
        slider,
        element("span", id="step", class_="step"),
        element("select", *paces, id="pace", data_label="pace"),
        class_="controls",
        role="group",
        data_label="controls",
    )


def _notes() -> Markup:
    how = [translated("li", name) for name in ("how-hover", "how-keys", "how-colours")]
    reading = element("div", translated("h2", "how-title"), element("ul", *how))
    size = element(
        "div",
        translated("h2", "size-title"),
        translated("p", "size-meaning"),
        element("p", "⌊(n + 2p − d (k − 1) − 1) / s⌋ + 1", class_="formula"),
        element("p", id="height-formula", class_="formula filled"),
        element("p", id="width-formula", class_="formula filled"),
    )
    return element("section", reading, size, class_="card notes")
