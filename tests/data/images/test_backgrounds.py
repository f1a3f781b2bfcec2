"""Drawings on a plain background of any colour are told from photographs."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tellapart.data.images.backgrounds import are_drawings
from tellapart.data.images.reading import read_fitted
from tellapart.data.preparation import Frame
from tellapart.data.sets.sources import load_data_set


def drawn(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def digits():
    """40 digits of MNIST, white on black, (40, 1, 28, 28)."""
    return load_data_set("mnist-sample").split("test").images[::25].numpy()


def as_jpeg(images, quality):
    """What is left of uint8 images (images, 3, height, width) in JPEG files."""
    seen = []
    for image in images.transpose(0, 2, 3, 1):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        seen.append(np.asarray(Image.open(file)))
    return np.stack(seen).transpose(0, 3, 1, 2)


def icons(background, count=20, side=48):
    """Discs, boxes and strokes in colours of their own on one background."""
    rng = drawn()
    images = []
    for number in range(count):
        image = Image.new("RGB", (side, side), background)
        draw = ImageDraw.Draw(image)
        left, top = rng.integers(3, 12, 2)
        box = (left, top, left + 26, top + 26)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        (draw.ellipse, draw.rectangle, draw.line)[number % 3](box, fill=colour)
        images.append(np.asarray(image))
    return np.stack(images).transpose(0, 3, 1, 2)


def test_digits_are_drawings_in_white_and_in_ink(digits):
    assert are_drawings(digits) is True
    assert are_drawings(255 - digits) is True


def test_digits_on_grainy_paper_are_drawings(digits):
    paper = 225 - digits * 0.8 + drawn().normal(0, 4, digits.shape)
    assert are_drawings(paper.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("background", ["white", "black", "gold", "steelblue"])
@pytest.mark.parametrize("quality", [None, 90, 60])
def test_icons_in_colour_are_drawings_whatever_jpeg_did_to_them(background, quality):
    images = icons(background)
    assert are_drawings(images if quality is None else as_jpeg(images, quality))


def test_each_image_has_a_background_of_its_own():
    assert are_drawings(np.concatenate([icons("gold", 10), icons("black", 10)]))


def test_a_background_is_plain_in_every_channel():
    images = icons("white")
    images[:, 2] = drawn().integers(0, 256, images[:, 2].shape)
    assert not are_drawings(images)


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_no_drawing(channels):
    assert are_drawings(drawn().integers(0, 256, (20, channels, 32, 32), dtype=np.uint8)) is False


@pytest.mark.parametrize("size", [(32, 32), (40, 64)], ids=str)
def test_gradients_are_no_drawings(size):
    """As skies, walls and tables are lit: plain for nobody's eye but not for a median."""
    height, width = size
    down, right = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    angles = drawn().uniform(0, np.pi / 2, 20)[:, None, None]
    light = np.cos(angles) * down + np.sin(angles) * right  # (images, height, width)
    images = (60 + 120 * light).astype(np.uint8)[:, None]
    assert not are_drawings(images)
    assert not are_drawings(images.repeat(3, 1))


def test_objects_before_a_grainy_background_are_no_drawings():
    images = icons("gray").astype(int) + drawn().integers(-40, 41, (20, 3, 48, 48))
    assert not are_drawings(images.clip(0, 255).astype(np.uint8))


def test_a_border_alone_makes_no_drawing():
    """As a photograph looks that is padded all around."""
    images = drawn().integers(0, 256, (20, 3, 40, 40), dtype=np.uint8)
    images[:, :, [0, -1]] = 0
    images[:, :, :, [0, -1]] = 0
    assert not are_drawings(images)


def test_a_plain_sky_over_a_landscape_makes_no_drawing():
    """Background enough, but not along the border."""
    images = np.full((20, 3, 40, 40), 200, dtype=np.uint8)
    images[:, :, 22:] = drawn().integers(0, 150, (20, 3, 18, 40))
    assert not are_drawings(images)


def test_most_images_decide(digits):
    noise = drawn().integers(0, 256, digits.shape, dtype=np.uint8)
    assert are_drawings(np.concatenate([digits, noise[:30]]))
    assert not are_drawings(np.concatenate([digits[:30], noise]))


def test_no_images_are_no_drawings():
    assert are_drawings(np.empty((0, 3, 8, 8), dtype=np.uint8)) is False


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("sign-digits", "[0-9]/*.JPG"),
        ("solar-cells", "images/*.jpg"),
        ("ants-bees", "train/*/*.jpg"),
    ],
)
@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_photographs_are_no_drawings(data_dir, name, pattern, fit):
    paths = sorted((data_dir / name).glob(pattern))
    some = paths[:: max(1, len(paths) // 40)]
    images = [read_fitted(path, Frame(3, 64, 64, fit)).pixels for path in some]
    assert len(images) >= 40
    assert are_drawings(np.stack(images)) is False


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_signs_and_clothes_cut_out_are_drawings(data_dir, name):
    images = load_data_set(name, data_dir=data_dir).split("test").images[:200]
    assert are_drawings(images.numpy())
