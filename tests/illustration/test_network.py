"""The page of a network in a browser shows the layers as they were traced."""

import pytest
import torch

from tellapart import ops
from tellapart.illustration.layers import trace_network
from tellapart.illustration.network import render_network
from tellapart.illustration.texts import TEXTS, bilingual
from tellapart.models.registry import NETWORKS, seeded_network

# As large as the network of the zoo with the largest smallest image wants it.
PICTURE = torch.randint(
    256, (3, 33, 33), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
NAMES = [f"<class {n}>" for n in range(10)]


def rendered(name, *, colour=False, with_picture=True):
    # Colour for those that take photographs, digits for those that the tutorials know.
    picture = PICTURE if colour else PICTURE[:1, :28, :28]
    network = seeded_network(name, tuple(picture.shape), 10, {}, 0)
    layers = trace_network(network, picture.float() / 255)
    shown = (picture, bilingual("noise", "噪声")) if with_picture else (None, None)
    return layers, render_network(f"{name} · run", layers, NAMES, *shown)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_zoo_is_drawn(opened, name):
    layers, html = rendered(name, colour=True)
    page = opened(html)
    assert page.locator(".layers li").count() == len(layers)
    assert page.locator(".diagram a").count() == len(layers)
    # All at once: a call to the browser for each of a hundred layers takes seconds.
    rows = page.locator(".layers li").evaluate_all(
        """rows => rows.map(row => ({
            id: row.id,
            name: row.querySelector("h3").textContent,
            shape: row.querySelector(".shape").textContent,
            maps: row.querySelectorAll(".map").length,
            more: [...row.querySelectorAll(".more")].map(more => more.textContent),
        }))"""
    )
    for index, (layer, row) in enumerate(zip(layers, rows, strict=True)):
        maps = layer.output_shape[0]
        assert row["id"] == f"layer-{index}"
        assert row["name"].startswith(layer.name)
        assert row["shape"] == " × ".join(map(str, layer.output_shape))
        assert row["maps"] == min(32, maps)
        assert row["more"] == ([f"+{maps - 32:,} more"] if maps > 32 else [])


def test_the_totals_and_the_probabilities_are_those_of_the_network(opened):
    layers, html = rendered("two-conv")
    page = opened(html)
    assert page.locator(".tiles dd").all_text_contents() == ["9", "1,199,882", "11,992,448"]
    probabilities = ops.softmax(layers[-1].output.double())
    fractions = [f"{100 * float(p):.1f} %" for p in probabilities]
    assert page.locator(".answers .fraction").all_text_contents() == fractions
    assert page.locator(".answers .class").all_text_contents() == NAMES
    best = page.locator(".best .class").text_content()
    assert best == NAMES[int(probabilities.argmax())]


def test_a_map_that_is_enlarged_shows_its_range_and_keys_go_from_map_to_map(opened):
    layers, html = rendered("lenet")
    page = opened(html)
    assert page.text_content("#lens") == TEXTS["lens-hint"]["en"]
    page.locator("[data-layer='0'] .map").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    values = layers[0].output[2]
    low, high, mean = (float(value) for value in (values.min(), values.max(), values.mean()))
    words = page.text_content("#lens").replace("−", "-").removeprefix("conv1, map 2: from ")
    numbers = [float(n) for n in words.replace(" to ", " ").replace(", mean ", " ").split()]
    assert numbers == pytest.approx([low, high, mean], rel=1e-3)
    assert page.evaluate("document.getElementById('large').width") == 28
    page.keyboard.press("End")
    assert page.text_content("#lens").startswith("conv1, map 5: ")
    page.locator("[data-layer='1'] .map").nth(3).hover()
    assert page.text_content("#lens").startswith("relu1, map 3: ")


def test_a_map_is_painted_from_its_numbers(opened):
    layers, html = rendered("lenet")
    page = opened(html, color_scheme="light")
    pixel = "c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data]"
    image = page.locator("[data-layer='0'] canvas").first.evaluate(pixel)
    painted = torch.tensor(image).view(28, 28, 4)
    values = layers[0].output[0]
    # Blue above zero has more blue than red, orange below more red than blue.
    clear = values.abs() > 0.1 * layers[0].output.abs().max()
    assert clear.any()
    bluer = painted[..., 2] > painted[..., 0]
    assert torch.equal(bluer[clear], (values > 0)[clear])


def test_without_a_picture_the_layers_are_there_and_no_maps(opened):
    _, html = rendered("single-conv", with_picture=False)
    page = opened(html)
    assert page.locator(".map, canvas, .answers").count() == 0
    assert TEXTS["no-picture"]["en"] in page.text_content("main")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_page_fits_and_is_in_chinese(opened, scheme):
    _, html = rendered("small-residual")
    page = opened(
        html, width=390, height=844, has_touch=True, is_mobile=True, locale="zh-CN",
        color_scheme=scheme,
    )  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.text_content(".picture figcaption") == "噪声"
    page.locator("[data-layer='3'] .map").nth(1).tap()
    assert page.text_content("#lens").startswith("pool1，第 1 张图")
    assert page.locator(".lens").is_visible()
