"""A file is read in the form that a classifier takes: size, colour, fit and style."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tellapart.data.images.drawing import DrawingStyle
from tellapart.models.reading import read_image
from tellapart.models.spec import ClassifierSpec, Normalization

SPEC = ClassifierSpec(
    network="lenet",
    class_names=("a", "b"),
    image_shape=(3, 12, 12),
    normalization=Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)


@pytest.fixture
def flag(tmp_path):
    """Blue, white and red thirds side by side, three times as wide as high."""
    image = Image.new("RGB", (72, 24), (0, 0, 255))
    image.paste((255, 255, 255), (24, 0, 48, 24))
    image.paste((255, 0, 0), (48, 0, 72, 24))
    image.save(tmp_path / "flag.png")
    return str(tmp_path / "flag.png")


def seen_along_the_middle(path, fit):
    """The colours at a sixth, the half and five sixths of the width, half-way down."""
    pixels = read_image(path, dataclasses.replace(SPEC, fit=fit)).pixels
    assert pixels.shape == (3, 12, 12)
    assert pixels.dtype == np.uint8
    names = {(0, 0, 255): "blue", (255, 255, 255): "white", (255, 0, 0): "red"}
    columns = (2, 6, 10)
    middle = [names.get(tuple(pixels[:, 6, column].tolist()), "mixed") for column in columns]
    top = names.get(tuple(pixels[:, 0, 2].tolist()), "mixed")
    return middle, top


def test_each_fit_shows_its_part_of_the_image(flag):
    assert seen_along_the_middle(flag, "squash") == (["blue", "white", "red"], "blue")
    assert seen_along_the_middle(flag, "crop")[0] == ["white"] * 3
    # Of a flag padded to a square the top is border, and that has no colour of its own.
    middle, top = seen_along_the_middle(flag, "pad")
    assert middle == ["blue", "white", "red"]
    assert top != "blue"


def test_a_squashed_image_has_the_size_of_the_classifiers_images(flag):
    spec = dataclasses.replace(SPEC, image_shape=(3, 20, 9), fit="squash")
    image = read_image(flag, spec)
    assert image.pixels.shape == (3, 20, 9)
    # Nothing but the three colours along every row: no border, nothing cut off.
    assert (image.pixels == image.pixels[:, :1]).all()
    assert image.pixels[:, 0, [1, 4, 7]].T.tolist() == [[0, 0, 255], [255] * 3, [255, 0, 0]]
    assert (image.changes, image.found) == ((), True)


def test_a_drawing_is_fitted_to_the_style_unless_it_is_taken_as_it_is(tmp_path):
    page = np.full((60, 60), 255, np.uint8)
    page[10:40, 40:44] = 0
    Image.fromarray(page).save(tmp_path / "page.png")
    style = DrawingStyle("dark", 0.6, 0.7, 0.8, 0.5, 0.5, 0.05)
    spec = dataclasses.replace(
        SPEC, image_shape=(1, 28, 28), normalization=Normalization((0.5,), (0.5,)), style=style
    )
    fitted, as_is = (
        read_image(str(tmp_path / "page.png"), spec, as_is=as_is) for as_is in (False, True)
    )
    assert "inverted" in fitted.changes
    assert np.median(fitted.pixels) == 0
    assert as_is.changes == ()
    assert np.median(as_is.pixels) == 255
