"""The page in a browser: its numbers are those of ops, and keys, slider and pointer move it."""

import pytest
import torch

from tellapart import ops
from tellapart.illustration.kernels import KERNELS
from tellapart.illustration.player import render_player
from tellapart.illustration.scenes import (
    ACTIVATIONS,
    Field,
    activation_scene,
    average_pooling_scene,
    convolution_scene,
    max_pooling_scene,
)
from tellapart.illustration.texts import TEXTS, bilingual

TUTORIAL = Field(torch.arange(1.0, 10.0).view(1, 3, 3), bilingual("1 to 9", "1 到 9"))
PICTURE = Field(
    torch.randint(256, (1, 28, 28), generator=torch.Generator().manual_seed(0)).float(),
    bilingual("a <picture> & more", "图片"),
    is_image=True,
)


def convolutions():
    over = {"tutorial": TUTORIAL}
    return [convolution_scene(k, over.get(name, PICTURE)) for name, k in KERNELS.items()]


def shown(page, selector):
    """The numbers in cells, in reading order; an empty cell is not there."""
    texts = page.locator(f"{selector} text").all_text_contents()
    return [float(text.replace("−", "-")) for text in texts if text]


def choose(page, name):
    page.locator(f"[data-scene='{name}']").click()


def until(page, holds):
    """Waits, at most ten seconds; playwright's own way is eval, which the page forbids."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    pytest.fail("it never came")


def test_the_worked_example_fills_in_step_by_step(opened):
    page = opened(render_player("convolution", convolutions(), len(KERNELS) - 1))
    page.keyboard.press("Home")
    assert shown(page, "#input") == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert page.text_content("#expression") == "1·1 + 2·1 + 4·1 + 5·1 = 12"
    for expected in ([12], [12, 16], [12, 16, 24], [12, 16, 24, 28]):
        assert shown(page, "#output") == expected
        assert float(page.text_content("#result")) == expected[-1]
        page.keyboard.press("ArrowRight")
    assert shown(page, "#products") == [5, 6, 8, 9]
    page.keyboard.press("ArrowUp")
    assert shown(page, "#output") == [12, 16]
    assert "(3 + 2·0 − 1·(2 − 1) − 1) / 1⌋ + 1 = 2" in page.text_content("#height-formula")


@pytest.mark.parametrize("name", ["vertical-edges", "horizontal-edges", "edges", "sharpen"])
def test_every_number_of_the_feature_map_is_that_of_ops(opened, name):
    page = opened(render_player("convolution", convolutions()), width=1600, height=1200)
    choose(page, name)
    page.keyboard.press("End")
    weight = KERNELS[name].weight[None, None]
    expected = ops.conv2d(PICTURE.values[None], weight)
    assert shown(page, "#output") == expected.flatten().tolist()
    assert shown(page, "#input") == PICTURE.values.flatten().tolist()


def test_numbers_that_are_not_whole_are_rounded_to_what_is_shown(opened):
    page = opened(render_player("convolution", convolutions()))
    choose(page, "learned")
    page.keyboard.press("End")
    weight = KERNELS["learned"].weight
    corner = PICTURE.values[0, -3:, -3:] * weight
    last = ops.conv2d(PICTURE.values[None], weight[None, None])[0, 0, -1, -1]
    assert shown(page, "#products") == pytest.approx(corner.flatten().tolist(), rel=6e-3)
    total = float(page.text_content("#total").replace("−", "-"))
    assert total == pytest.approx(float(last), rel=6e-4)


def test_a_page_opens_in_the_middle_paused_with_the_pointer_on_nothing(opened):
    scenes = convolutions()
    page = opened(render_player("convolution", scenes))
    opening = scenes[0].to_json()["opening"]
    page.wait_for_timeout(300)
    assert page.input_value("#place") == str(opening)
    assert len(shown(page, "#output")) == opening + 1
    assert page.get_attribute("#play", "aria-label") == "Play (space)"


def test_space_plays_and_pauses(opened):
    page = opened(render_player("convolution", convolutions()))
    page.select_option("#pace", "fast")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    until(page, lambda: int(page.input_value("#place")) > 2)
    assert page.get_attribute("#play", "aria-label") == "Pause (space)"
    page.keyboard.press("Space")
    stopped = page.input_value("#place")
    page.wait_for_timeout(200)
    assert page.input_value("#place") == stopped
    assert page.get_attribute("#play", "aria-label") == "Play (space)"


def test_playing_ends_at_the_last_place(opened):
    page = opened(render_player("convolution", [convolutions()[-1]]), reduced_motion="reduce")
    page.select_option("#pace", "fast")
    page.click("#play")
    page.locator("#forward:disabled").wait_for()
    assert shown(page, "#output") == [12, 16, 24, 28]
    assert page.get_attribute("#play", "aria-label") == "Play (space)"


def test_the_keys_jump_by_place_and_by_row(opened):
    page = opened(render_player("convolution", convolutions()))
    at = []
    for key in ("Home", "ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowLeft", "End"):
        page.keyboard.press(key)
        at.append(int(page.input_value("#place")))
    assert at == [0, 26, 27, 1, 0, 0, 675]
    page.focus("#first")
    page.keyboard.press("Space")  # a focused button is pressed by its own key
    assert page.input_value("#place") == "0"


def cell_middle(page, grid, row, column, rows, columns):
    box = page.locator(grid).bounding_box()
    return (
        box["x"] + box["width"] * (column + 0.5) / columns,
        box["y"] + box["height"] * (row + 0.5) / rows,
    )


def test_pointing_at_a_result_shows_where_it_comes_from(opened):
    page = opened(render_player("convolution", convolutions(), len(KERNELS) - 1))
    page.keyboard.press("End")
    page.mouse.move(*cell_middle(page, "#output", 0, 1, 2, 2))
    assert page.text_content("#expression") == "2·1 + 3·1 + 5·1 + 6·1 = 16"
    assert page.input_value("#place") == "3"
    page.mouse.move(0, 0)
    assert page.text_content("#expression") == "5·1 + 6·1 + 8·1 + 9·1 = 28"
    page.mouse.click(*cell_middle(page, "#output", 1, 0, 2, 2))
    assert page.input_value("#place") == "2"


def test_pointing_at_the_input_shows_where_it_goes(opened):
    page = opened(render_player("convolution", convolutions(), len(KERNELS) - 1))
    page.mouse.move(*cell_middle(page, "#input", 1, 1, 3, 3))
    assert "This number, 5, is used in 4 results." in page.text_content(".panel.output")
    assert page.locator("#output .reached").count() == 4
    page.mouse.move(*cell_middle(page, "#input", 0, 0, 3, 3))
    assert "This number, 1, is used in one result." in page.text_content(".panel.output")
    page.mouse.move(0, 0)
    assert page.locator("#output .reached").count() == 0


def test_pointing_at_a_product_lights_its_pixel_and_its_term(opened):
    page = opened(render_player("convolution", convolutions(), len(KERNELS) - 1))
    page.mouse.move(*cell_middle(page, "#products", 0, 1, 2, 2))
    assert page.locator(".term.lit").count() == 1
    assert page.locator("#input .pointed").count() == 1
    page.mouse.move(0, 0)
    assert page.locator(".term.lit, .pointed").count() == 0


def test_the_language_is_the_reader_s_and_the_button_switches_it(opened):
    html = render_player("convolution", convolutions())
    page = opened(html, locale="zh-CN")
    assert page.text_content("h1") == TEXTS["convolution-title"]["zh"]
    page.click("#language")
    assert page.text_content("h1") == TEXTS["convolution-title"]["en"]
    assert page.get_attribute("html", "lang") == "en"
    caption = page.text_content(".panel.input .caption")
    assert caption == "a <picture> & more"


def test_padding_stride_and_dilation_are_drawn(opened):
    kernel = KERNELS["vertical-edges"]
    scene = convolution_scene(kernel, PICTURE, stride=3, padding=2, dilation=2)
    page = opened(render_player("convolution", [scene]), width=1600, height=1200)
    page.keyboard.press("End")
    assert page.locator("#input .border").count() == 32 * 32 - 28 * 28
    assert page.locator("#input .tap").count() == 9
    assert shown(page, "#output") == scene.output.flatten().tolist()
    page.mouse.move(*cell_middle(page, "#input", 0, 0, 32, 32))
    assert "Padding: a zero" in page.text_content(".panel.output")


def test_pooling_shows_the_winner_and_the_mean(opened):
    scenes = [max_pooling_scene(PICTURE), average_pooling_scene(PICTURE)]
    page = opened(render_player("pooling", scenes), width=1600, height=1200)
    page.keyboard.press("End")
    assert shown(page, "#output") == scenes[0].output.flatten().tolist()
    assert page.locator("#input .winner").count() == 1
    seen = PICTURE.values[0, -2:, -2:]
    assert shown(page, "#window") == seen.flatten().tolist()
    assert page.text_content("#total") == str(int(seen.max()))
    choose(page, "average")
    page.keyboard.press("End")
    assert float(page.text_content("#result")) == pytest.approx(float(seen.mean()), rel=6e-4)
    assert f"= {int(seen.sum())} / 4 =" in page.text_content("#expression")


def test_padding_of_a_maximum_is_minus_infinity(opened):
    page = opened(render_player("pooling", [max_pooling_scene(PICTURE, 3, padding=1)]))
    page.keyboard.press("Home")
    assert page.text_content("#expression").startswith("max(−∞, −∞, −∞, −∞, ")


def test_an_activation_is_read_off_its_curve(opened):
    over = Field(torch.tensor([[[-2.0, 0.5], [0.0, 3.0]]]), bilingual("four", "四个数"))
    scenes = [activation_scene(activation, over) for activation in ACTIVATIONS.values()]
    page = opened(render_player("activation", scenes))
    choose(page, "sigmoid")
    page.keyboard.press("End")
    expected = ops.sigmoid(torch.tensor(3.0))
    assert page.text_content("#expression") == f"sigmoid(3) = {float(expected):.4g}"
    slope = float(page.text_content("#slope").removeprefix("slope here: "))
    assert slope == pytest.approx(float(expected * (1 - expected)), rel=1e-3)
    assert page.locator("#curve polyline").count() == 1
    choose(page, "relu")
    page.keyboard.press("Home")
    assert page.text_content("#expression") == "relu(−2) = 0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(opened, scheme):
    html = render_player("convolution", convolutions())
    page = opened(html, width=390, height=844, has_touch=True, is_mobile=True, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert shown(page, "#products")
    page.locator("#output").tap(position={"x": 5, "y": 5})
    assert page.input_value("#place") == "0"
