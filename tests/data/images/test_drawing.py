"""Drawings are corrected where they differ from those trained on, and only there."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from tellapart.data.images.drawing import BORDER_IGNORED, measure_style
from tellapart.data.images.reading import read_fitted
from tellapart.data.preparation import Frame
from tellapart.data.sets.sources import load_data_set

FRAME = Frame(1, 28, 28)


@pytest.fixture(scope="module")
def digits():
    return load_data_set("mnist-sample").split("train").images.numpy()


@pytest.fixture(scope="module")
def style(digits):
    return measure_style(digits)


def read(path, style):
    fitted = read_fitted(path, FRAME, style)
    return fitted.pixels, fitted.changes


def saved(folder, array, name="digit.png"):
    Image.fromarray(array).save(folder / name)
    return folder / name


def test_the_style_of_mnist(style):
    assert style.background == "dark"
    # LeCun et al.: digits fit into 20 of 28 pixels and are centred by mass.
    assert style.typical == pytest.approx(20 / 28, abs=0.04)
    assert 0.5 < style.smallest < style.typical <= style.largest < 0.9
    # The centre of mass is at pixel (14, 14) counted from 0, half a pixel from the frame's middle.
    assert (28 * style.row - 0.5, 28 * style.column - 0.5) == pytest.approx((14, 14), abs=0.15)
    assert style.off_centre < 0.06


def test_an_inverted_set_has_a_light_background(digits, style):
    inverted = measure_style(255 - digits)
    assert inverted.background == "light"
    assert inverted.typical == pytest.approx(style.typical, abs=0.01)


def test_photographs_and_colour_have_no_style(digits):
    noise = np.random.default_rng(0).integers(0, 256, (50, 1, 28, 28), dtype=np.uint8)
    assert measure_style(noise) is None
    assert measure_style(digits[:50].repeat(3, 1)) is None
    assert measure_style(np.zeros((50, 1, 28, 28), np.uint8)) is None


def test_a_digit_as_trained_on_is_left_alone(tmp_path, digits, style):
    for index in range(0, 4000, 100):
        picture, changes = read(saved(tmp_path, digits[index, 0]), style)
        assert changes == ()
        assert np.array_equal(picture, digits[index])


def on_paper(digit, page, side, top, left, ink=30, paper=235):
    """A digit in dark ink, ``side`` pixels large, somewhere on a light page."""
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    values = np.full((page, page), paper, np.float32)
    strokes = np.asarray(large, np.float32) / 255
    part = values[top : top + side, left : left + side]
    part[:] = part * (1 - strokes) + ink * strokes
    return values.round().astype(np.uint8)


def alike(one, other):
    """The correlation of two pictures."""
    return np.corrcoef(one.flatten(), other.flatten())[0, 1]


@pytest.mark.parametrize(("top", "left", "side"), [(20, 30, 60), (110, 120, 70), (60, 60, 56)])
def test_dark_ink_in_a_corner_of_a_page_becomes_the_digit_again(
    tmp_path, digits, style, top, left, side
):
    # Half a pixel to the side makes a thin stroke look different: not every one is much alike.
    likeness = []
    for index in range(0, 4000, 200):
        page = on_paper(digits[index, 0], 200, side, top, left)
        picture, changes = read(saved(tmp_path, page), style)
        assert changes[:2] == ("inverted", "enlarged")
        likeness.append(alike(picture, digits[index]))
    assert np.mean(likeness) > 0.9
    assert min(likeness) > 0.65


def test_a_shadow_on_the_page_is_no_ink(tmp_path, digits, style):
    page = on_paper(digits[0, 0], 200, 90, 40, 60).astype(np.float32)
    shaded = (page * np.linspace(1, 0.45, 200)[None, :]).astype(np.uint8)
    picture, changes = read(saved(tmp_path, shaded), style)
    assert "inverted" in changes
    assert (picture[:, :, [0, -1]] < 40).all()
    assert alike(picture, digits[0]) > 0.7


def test_dust_does_not_move_the_digit(tmp_path, digits, style):
    page = on_paper(digits[5, 0], 200, 80, 60, 60)
    page[195, 3] = 0
    dusty, _ = read(saved(tmp_path, page), style)
    page[195, 3] = 235
    clean, _ = read(saved(tmp_path, page), style)
    assert np.abs(dusty.astype(int) - clean).mean() < 6


def test_a_digit_that_is_only_moved_or_too_large(tmp_path, digits, style):
    moved = np.roll(digits[7, 0], (-4, 4), (0, 1))
    _, changes = read(saved(tmp_path, moved), style)
    assert changes == ("centred",)
    large = np.asarray(Image.fromarray(digits[7, 0][4:24, 4:24]).resize((28, 28)))
    assert "made smaller" in read(saved(tmp_path, large), style)[1]


def test_for_a_light_background_white_on_black_is_inverted(tmp_path, digits, style):
    light = replace(style, background="light")
    picture, changes = read(saved(tmp_path, digits[3, 0]), light)
    assert changes == ("inverted",)
    assert picture[0, 0, 0] > 200


def test_an_empty_page_stays_one(tmp_path, style):
    picture, changes = read(saved(tmp_path, np.full((60, 60), 240, np.uint8)), style)
    assert changes == ()
    assert (picture == 240).all()


def test_what_covers_everything_is_no_drawing(tmp_path, style):
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    picture, changes = read(saved(tmp_path, noise), style)
    assert changes == ()
    assert np.array_equal(picture[0], noise)


def test_a_blurred_photograph_is_still_an_image(tmp_path, style):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(9))
    picture, _ = read(saved(tmp_path, np.asarray(image)), style)
    assert picture.shape == (1, 28, 28)
    assert picture.dtype == np.uint8


# Borders and blank pages


def photograph(digit):
    """A digit on a page of 400x300."""
    large = Image.fromarray(255 - digit).resize((140, 140), Image.Resampling.BICUBIC)
    page = Image.new("L", (400, 300), 250)
    page.paste(large, (150, 90))
    return page


def with_strips(sides):
    def change(page):
        pixels = np.asarray(page).copy()
        strips = {"l": np.s_[:, :24], "r": np.s_[:, -24:], "t": np.s_[:24], "b": np.s_[-24:]}
        for side in sides:
            pixels[strips[side]] = 45
        return Image.fromarray(pixels)

    return change


def with_shape(draw):
    def change(page):
        draw(ImageDraw.Draw(page))
        return page

    return change


def with_soft_shadow(page):
    light = np.minimum(1, 0.1 + np.arange(400) / 30)
    return Image.fromarray((np.asarray(page) * light).astype(np.uint8))


BORDERS = {
    "left": with_strips("l"),
    "top": with_strips("t"),
    "two sides": with_strips("lb"),
    "opposite sides": with_strips("lr"),
    "all sides": with_strips("ltrb"),
    "line": with_shape(lambda draw: draw.rectangle((5, 5, 394, 294), outline=20, width=2)),
    "tilted": with_shape(
        lambda draw: draw.polygon([(0, 0), (50, 0), (10, 300), (0, 300)], fill=45)
    ),
    "corner": with_shape(lambda draw: draw.polygon([(0, 0), (90, 0), (0, 90)], fill=50)),
    "hole": with_shape(lambda draw: draw.ellipse((8, 70, 26, 88), fill=30)),
    "scanner": with_soft_shadow,
}


@pytest.mark.parametrize("name", BORDERS)
def test_what_lies_along_the_border_is_no_part_of_the_drawing(tmp_path, digits, style, name):
    for index in range(0, 4000, 800):
        page = photograph(digits[index, 0])
        page.save(tmp_path / "plain.jpg", quality=90)
        BORDERS[name](page).save(tmp_path / "bordered.jpg", quality=90)
        plain, _ = read(tmp_path / "plain.jpg", style)
        bordered, changes = read(tmp_path / "bordered.jpg", style)
        assert BORDER_IGNORED in changes
        assert alike(bordered, plain) > 0.9


def test_a_digit_that_touches_the_border_is_not_lost(tmp_path, digits, style):
    for index in range(0, 4000, 400):
        page = np.asarray(photograph(digits[index, 0]))
        first = int(np.flatnonzero((page < 128).any(0))[0])
        pixels, changes = read(saved(tmp_path, page[:, first + 2 :]), style)
        assert BORDER_IGNORED not in changes
        assert alike(pixels, read(saved(tmp_path, page), style)[0]) > 0.6


def test_a_drawing_that_is_cut_out_tightly_is_kept(tmp_path, digits, style):
    kept = 0
    for index in range(0, 4000, 400):
        page = np.asarray(photograph(digits[index, 0]))
        rows, columns = (np.flatnonzero((page < 128).any(axis)) for axis in (1, 0))
        cut = page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        kept += (
            alike(read(saved(tmp_path, cut), style)[0], read(saved(tmp_path, page), style)[0]) > 0.6
        )
    assert kept >= 9


def blank_pages():
    rng = np.random.default_rng(0)
    white = np.full((300, 400), 250, np.uint8)
    yield "white", white
    yield "grain", np.clip(rng.normal(235, 8, white.shape), 0, 255).astype(np.uint8)
    yield "shaded", (white * np.linspace(1, 0.5, 400)).astype(np.uint8)
    yield "on a table", np.asarray(with_strips("ltrb")(Image.fromarray(white)))
    yield "strip", np.asarray(with_strips("l")(Image.fromarray(white)))
    yield "black", np.zeros((28, 28), np.uint8)
    yield "ruled", np.where(np.arange(300)[:, None] % 40 < 3, np.uint8(150), white)
    yield "squared", np.where(np.arange(400)[None] % 25 < 2, np.uint8(150), white)


@pytest.mark.parametrize(("name", "page"), list(blank_pages()))
def test_on_a_blank_page_no_drawing_is_found(tmp_path, style, name, page):
    path = saved(tmp_path, page, "blank.jpg")
    fitted = read_fitted(path, FRAME, style)
    assert not fitted.found, name
    assert fitted.changes == ()
    assert read_fitted(path, FRAME, style, as_is=True).found
    assert read_fitted(path, FRAME).found


def test_a_drawing_is_found(tmp_path, digits, style):
    assert read_fitted(saved(tmp_path, digits[0, 0]), FRAME, style).found
    assert read_fitted(saved(tmp_path, np.asarray(photograph(digits[0, 0]))), FRAME, style).found
