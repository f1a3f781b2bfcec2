"""The page of a check: which maps follow the network, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart import wording
from tellapart.explanation.check_charts import (
    CURVE_KEY,
    curve_chart,
    difference_chart,
    key,
    similarity_chart,
)
from tellapart.explanation.checked import CheckedMethod, MapCheck, MapExample
from tellapart.explanation.colouring import coloured
from tellapart.explanation.perturbation import NUM_STEPS
from tellapart.explanation.verdicts import (
    CHANCE,
    EDGE_DETECTOR,
    EDGES,
    FOLLOWS,
    RANDOM,
    UNLEARNED,
    WEIGHTS,
    Interval,
    mean_with_interval,
)
from tellapart.page.document import packaged_text
from tellapart.page.markup import Markup, element
from tellapart.report.parts import (
    captioned_image,
    card,
    data_table,
    header,
    headline,
    origin_card,
    report_page,
)

_OTHERS = {RANDOM: "Random maps", EDGE_DETECTOR: "Edge detector"}
_RULES = (
    (WEIGHTS, "with random weights its maps stay the same, at a rank correlation above 0.9"),
    (CHANCE, "its score is not above that of random maps"),
    (UNLEARNED, "its score is not above that of its own maps for a network with random weights"),
    (EDGES, "its score is not above that of an edge detector on the image"),
    (FOLLOWS, "none of these"),
)


def render_check(check: MapCheck, *, title: str, origin: Mapping[str, Any]) -> str:
    """Return a self-contained page; the same input gives the same bytes.

    Args:
        check: what was measured.
        title: the run and its data.
        origin: where the figures come from, by name.
    """
    return report_page(
        f"{title} · heat maps checked",
        _header(check, title),
        _examples(check),
        *([_curves(check), _differences(check), _randomized(check)] if check.methods else []),
        _rules(check),
        origin_card(origin),
        styles=[packaged_text("tellapart.explanation", "check.css")],
    )


def verdict_card(check: MapCheck, page: str) -> Markup:
    """Return a card for the page of an explanation: the verdicts, and where they come from.

    Args:
        check: what was measured.
        page: the file name of the check's own page, in the same folder.
    """
    items = [
        element("li", element("b", checked.method.title), f": {checked.verdict}.")
        for checked in check.methods
    ]
    items += [
        element(
            "li", element("b", entry.method.title), f": not possible. {_capital(entry.reason)}."
        )
        for entry in check.not_checked
    ]
    return card(
        "check",
        "Are these maps worth looking at?",
        element("ul", *items),
        element("p", element("a", "What was measured", href=page)),
        note=f"Measured on {_images(check)}, against random maps, random weights and an edge "
        "detector.",
    )


def _header(check: MapCheck, title: str) -> Markup:
    following, checked = len(check.following), len(check.methods)
    tiles = [_tile(entry) for entry in check.methods]
    tiles += [
        (entry.method.title, "Not possible", _capital(entry.reason)) for entry in check.not_checked
    ]
    figure = headline(
        f"{following} of {checked}" if checked else "none",
        "methods follow the network" if checked else "of the methods is possible here",
        f"A heat map always looks like a reason. Whether it is one was measured on {_images(check)}"
        ": cells of the image are covered and uncovered in the order that a map gives, and "
        "the probability of the answered class is followed.",
    )
    return element("div", header("heat maps checked", title, figure), _tiles(tiles), class_="head")


def _tiles(tiles: Sequence[tuple[str, str, str]]) -> Markup:
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", verdict),
                element("dd", meaning, class_="meaning"),
                class_="passed" if verdict == _capital(FOLLOWS) else "failed",
            )
            for name, verdict, meaning in tiles
        ),
        class_="tiles verdicts",
    )


def _tile(checked: CheckedMethod) -> tuple[str, str, str]:
    score = mean_with_interval(checked.curves.score)
    others = f"; also {wording.listed(checked.failed[1:])}" if len(checked.failed) > 1 else ""
    return (
        checked.method.title,
        _capital(checked.verdict),
        f"score {score.mean:.3f}, 95 % interval {_ends(score)}{others}",
    )


def _examples(check: MapCheck) -> Markup:
    return card(
        "examples",
        "What was compared",
        *(_example(example) for example in check.examples),
        note="Beside each map of the trained network is the map of the same method when all "
        "weights are random; the edge detector knows no network. By looking alone nobody can tell "
        "which map follows the network.",
    )


def _example(example: MapExample) -> Markup:
    figures = [
        captioned_image(
            example.image,
            f"an image answered {example.class_name}",
            element("span", element("b", example.class_name)),
            element("span", "as answered", class_="quiet"),
        )
    ]
    for name, heat in example.maps.items():
        method, _, suffix = name.partition(", ")
        figures.append(
            captioned_image(
                coloured(example.image, heat, float(heat.abs().max())),
                f"{name}, for {example.class_name}",
                element("span", method),
                element(
                    "span",
                    suffix or ("no network" if method == "Edge detector" else "trained"),
                    class_="quiet",
                ),
            )
        )
    return element("div", *figures, class_="pictures compared")


def _curves(check: MapCheck) -> Markup:
    charts = [
        element(
            "div",
            element("h3", checked.method.title),
            element(
                "div",
                curve_chart(check, checked, "insertion"),
                curve_chart(check, checked, "deletion"),
                class_="columns",
            ),
        )
        for checked in check.methods
    ]
    return card(
        "curves",
        "Uncovering and covering what a map marks",
        key(CURVE_KEY),
        element("div", *charts, class_="charts"),
        note="Left, a blurred image is uncovered, the strongest cells of a map first: the sooner "
        "the probability rises, the better the map. Right, the whole image is covered by the mean "
        "colour of the training images: the sooner it falls, the better. The area between the two "
        "curves of a map, insertion minus deletion, is its score.",
    )


def _differences(check: MapCheck) -> Markup:
    heads = ("Score minus that of", "random maps", "random weights", "edge detector")
    rows = [
        (
            checked.method.title,
            *(_signed(found.score) for found in checked.differences),
        )
        for checked in check.methods
    ]
    details = [
        (
            checked.method.title,
            _plain(mean_with_interval(checked.curves.insertion_area)),
            _plain(mean_with_interval(checked.curves.deletion_area)),
        )
        for checked in check.methods
    ]
    details += [
        (
            _OTHERS[name],
            _plain(mean_with_interval(curves.insertion_area)),
            _plain(mean_with_interval(curves.deletion_area)),
        )
        for name, curves in check.others.items()
    ]
    return card(
        "differences",
        "Is the difference more than chance?",
        element("div", difference_chart(check), class_="middle"),
        data_table("Differences of scores", heads, rows),
        element("h3", "Areas under the curves"),
        data_table("Areas", ("Map", "insertion, high is good", "deletion, low is good"), details),
        note="Each difference is taken on the same images; the line is its 95 % interval. A map is "
        "better where the whole interval lies to the right of 0.",
    )


def _randomized(check: MapCheck) -> Markup:
    rows = [
        (
            checked.method.title,
            _signed_percent(checked.complexity_rise),
            _plain(checked.stages[-1].similarity, 2),
        )
        for checked in check.methods
    ]
    heads = ("All weights random", "rise in complexity", "rank correlation")
    lines = [
        (f"method-{number}", checked.method.title) for number, checked in enumerate(check.methods)
    ]
    few = wording.plural(check.num_randomized_images, "image")
    return card(
        "randomized",
        "What random weights leave of the maps",
        key([*lines, ("edge-line", "edge detector")]),
        element("div", similarity_chart(check), class_="middle"),
        data_table("Random weights", heads, rows),
        note=f"The weights of {wording.plural(check.num_layers, 'layer')} are shuffled, from the "
        f"input on, and the maps of {few} are computed again. A map that explains the network "
        "changes: its ranks no longer agree with those of the trained network. The rise in "
        "complexity (efficient MPRT) is that of the entropy of a map's values when all layers are "
        "random. An edge detector has a rise of 0 and a correlation of 1. Maps may also become "
        "simpler, such as those of Grad-CAM, which are cut off at 0; so the rise decides no "
        "verdict.",
    )


def _rules(check: MapCheck) -> Markup:
    items = [element("li", element("b", _capital(name)), f": {rule}.") for name, rule in _RULES]
    rows, columns = check.grid
    return card(
        "rules",
        "How a verdict is reached",
        element("ol", *items),
        element(
            "p",
            "The first that applies is the verdict. Above means: the 95 % interval of the "
            "difference, paired by image, lies above 0.",
            class_="note last",
        ),
        element(
            "p",
            f"Each image has {rows} x {columns} cells, which are covered in {NUM_STEPS} steps. The "
            "score favours methods that remove parts themselves, such as occlusion; it says that "
            "a map marks what this network uses, not that a person would agree.",
            class_="note last",
        ),
    )


def _images(check: MapCheck) -> str:
    images = wording.plural(check.num_images, "test image")
    if check.num_images == check.num_test_images:
        return f"all {images}"
    return f"{images}, drawn at random from {wording.number(check.num_test_images)}"


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def _signed_percent(interval: Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.mean:+.0f} % ({low:+.0f} to {high:+.0f})"


def _plain(interval: Interval, digits: int = 3) -> str:
    return f"{interval.mean:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def _ends(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
