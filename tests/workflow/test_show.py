"""What is shown is what was asked for; a wrong request is refused and leaves no file behind."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tellapart.errors import ConfigError, DataError, RunError, ShapeError
from tellapart.models.checkpoint import save_classifier
from tellapart.models.classifier import Classifier
from tellapart.models.registry import count_parameters, seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.workflow.predict import predict
from tellapart.workflow.show import (
    show_activation,
    show_convolution,
    show_network,
    show_pooling,
)


def content(page):
    """What the page's script reads."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    return json.loads(text)


def opened_scene(page):
    data = content(page)
    return data["scenes"][data["opened"]]


def shape_of_input(page):
    data = content(page)
    return data["fields"][opened_scene(page)["field"]]["values"]["shape"]


@pytest.fixture
def colour_classifier(tmp_path):
    """A classifier file of 20x30 colour pictures, with no run around it."""
    classifier = Classifier(
        seeded_network("single-conv", (3, 20, 30), 2, {}, 0),
        ClassifierSpec(
            network="single-conv",
            arguments={},
            class_names=("ant", "bee"),
            image_shape=(3, 20, 30),
            normalization=Normalization((0.5,), (0.5,)),
        ),
    )
    path = tmp_path / "ants.safetensors"
    save_classifier(path, classifier, {})
    return path


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (300, 200), "orange").save(path)
    return path


def test_nothing_given_shows_a_digit_and_finds_a_free_name():
    pages = [show_convolution(), show_convolution(), show_pooling(), show_activation()]
    names = ["convolution.html", "convolution-2.html", "pooling.html", "activation.html"]
    assert [str(page) for page in pages] == names
    assert opened_scene(pages[0])["name"] == "vertical-edges"
    assert shape_of_input(pages[0]) == [1, 28, 28]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_all_kernels_are_on_the_page_and_the_one_asked_for_is_open():
    page = show_convolution(kernel="tutorial", out="mine.html")
    assert str(page) == "mine.html"
    scene = opened_scene(page)
    assert (scene["name"], scene["output"]["shape"]) == ("tutorial", [2, 2])
    assert len(content(page)["scenes"]) == 7


def test_numbers_and_settings_are_as_written():
    page = show_convolution(kernel="1,2;3,4;5,6", stride=2, padding=1, dilation=3, digit=7)
    scene = opened_scene(page)
    assert scene["name"] == "yours"
    assert [scene[name] for name in ("size", "stride", "padding", "dilation")] == [
        [3, 2], [2, 2], [1, 1], [3, 3],
    ]  # fmt: skip
    assert "a handwritten 7 of MNIST" in page.read_text()


def test_a_large_image_is_made_smaller_and_the_page_reports_it(photograph, tmp_path):
    page = show_convolution(image=photograph)
    assert shape_of_input(page) == [1, 19, 28]
    assert "photo.png, 28x19, grey levels 0 to 255; resized from 300x200" in page.read_text()
    small = tmp_path / "small.png"
    Image.new("L", (5, 4)).save(small)
    assert shape_of_input(show_pooling(image=small)) == [1, 4, 5]


def test_an_image_lying_on_its_side_stands(tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (20, 10)).save(path, exif=exif)
    assert shape_of_input(show_pooling(image=path)) == [1, 20, 10]


def test_the_kinds_and_functions_asked_for_are_open(trained):
    assert opened_scene(show_pooling(kind="average", size=3, stride=1))["stride"] == [1, 1]
    assert opened_scene(show_pooling(kind="tutorial-max"))["output"]["shape"] == [1, 1]
    assert [s["name"] for s in content(show_pooling(dilation=2))["scenes"]][:2] == [
        "max", "tutorial-max",
    ]  # fmt: skip
    assert opened_scene(show_activation(function="tanh"))["name"] == "tanh"
    page = show_activation(kernel=f"{trained.run}:conv1:2")
    assert "the feature map of kernel “conv1 · 2”" in page.read_text()


def test_a_learned_kernel_sees_the_run_s_own_image(trained):
    page = show_convolution(kernel=f"{trained.run}:conv1:3")
    assert opened_scene(page)["name"] == "conv1:3"
    assert len(content(page)["scenes"]) == 8
    caption = content(page)["fields"][0]["caption"]["en"]
    assert re.fullmatch("the input of this layer: the first test image of mnist-sample: .", caption)
    assert show_convolution(kernel=f"{trained.run}:conv1", digit=4, padding=1, stride=2)


def test_a_network_is_shown_with_its_probabilities(trained, tmp_path):
    shown = show_network(trained.run)
    assert shown.page == Path("network.html")
    assert [layer.name for layer in shown.layers] == [
        "conv1",
        "relu1",
        "pool1",
        "flatten",
        "output",
    ]
    network = seeded_network("single-conv", (1, 28, 28), 10, {}, 0)
    assert shown.num_parameters == count_parameters(network)
    assert sum(shown.probabilities) == pytest.approx(1)
    picture = tmp_path / "digit.png"
    drawing = Image.new("L", (120, 90), "white")
    drawing.paste(0, (20, 20, 30, 70))
    drawing.save(picture)
    named = show_network(trained.run, image=picture, out="named.html").to_json()
    (expected,) = predict(trained.run, [picture])
    assert named["probabilities"][expected.label] == pytest.approx(expected.probability, abs=1e-4)
    assert named["page"] == "named.html"
    assert "made to fit 28x28; as those trained on: inverted" in Path("named.html").read_text()


def test_as_text_no_page_is_written(trained):
    shown = show_network(trained.run, digit=5, write_page=False)
    assert shown.page is None
    assert shown.to_json()["multiply_adds"] == 26 * 26 * 8 * 9 + 1352 * 10
    assert list(Path().iterdir()) == []
    with pytest.raises(ConfigError, match=r"no page is written with --text.*--out a.html"):
        show_network(trained.run, write_page=False, out="a.html")


def test_a_run_whose_data_is_gone_is_shown_with_a_digit(trained, tmp_path):
    moved = shutil.copytree(trained.run, tmp_path / "moved")
    reference = json.loads((moved / "run.json").read_text())
    reference["data"]["source"] = "/nowhere"
    (moved / "run.json").write_text(json.dumps(reference))
    assert "a handwritten 3 of MNIST" in show_network(moved).page.read_text()


def test_a_classifier_of_other_images_needs_one(colour_classifier, photograph):
    shown = show_network(colour_classifier)
    assert shown.probabilities is None
    assert "No image was given" in shown.page.read_text()
    assert show_network(colour_classifier, image=photograph).probabilities is not None
    page = show_convolution(kernel=f"{colour_classifier}:conv1", image=photograph)
    assert shape_of_input(page) == [3, 20, 28]
    with pytest.raises(ConfigError, match=r"no image is available for .*; give one with --image"):
        show_convolution(kernel=f"{colour_classifier}:conv1")
    with pytest.raises(ConfigError, match=r"a bundled digit is .* \(1, 28, 28\), the cla"):
        show_network(colour_classifier, digit=3)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"kernel": "wobble"}, ConfigError, "no kernel is called 'wobble'"),
        ({"kernel": "1,2;3"}, ConfigError, "rows of a kernel must be equally long"),
        ({"kernel": "x/y:conv1"}, RunError, "run x/y does not exist"),
        ({"kernel": ";".join(["1"] * 29)}, ShapeError, "spans 29x1 pixels must fit the padded"),
        ({"dilation": 20}, ShapeError, "spans 41x41 pixels must fit the padded image, got 28x28"),
        ({"stride": 0}, ShapeError, "stride must be at least 1, got 0"),
        ({"padding": -1}, ShapeError, "padding must be at least 0, got -1"),
        ({"kernel": "3e38,3e38"}, ConfigError, "its sums overflow float32"),
        ({"digit": 10}, ConfigError, "--digit must be 0 to 9, got 10"),
        ({"digit": 1, "image": "a.png"}, ConfigError, "give --image or --digit, not both"),
        ({"image": "none.png"}, DataError, "none.png: no such file; check the path"),
        ({"kernel": "tutorial", "digit": 1}, ConfigError, "'tutorial' brings its own 3x3 image"),
        ({"out": "page.txt"}, ConfigError, "must be an .html file, got 'page.txt'"),
        ({"out": "no/folder/page.html"}, RunError, "cannot write no/folder/page.html"),
    ],
)
def test_a_wrong_request_is_refused_and_leaves_nothing_behind(request_, error, message):
    with pytest.raises(error, match=re.escape(message)):
        show_convolution(**request_)
    assert list(Path().iterdir()) == []


def test_wrong_requests_of_the_other_pages(trained):
    with pytest.raises(ConfigError, match=r"no kind of pooling is called 'mx'; did you mean 'max'"):
        show_pooling(kind="mx")
    with pytest.raises(ConfigError, match="average pooling has no dilation, got 2; leave it out"):
        show_pooling(kind="average", dilation=2)
    with pytest.raises(ShapeError, match="spans 30x30 pixels must fit"):
        show_pooling(size=30)
    with pytest.raises(ConfigError, match="no activation is called 'step'; known: relu, leaky"):
        show_activation(function="step")
    with pytest.raises(RunError, match=r"run .* has no layer 'conv9'; its convolutions: conv1"):
        show_convolution(kernel=f"{trained.run}:conv9")
    with pytest.raises(RunError, match="run nowhere does not exist"):
        show_network("nowhere")
    assert list(Path().iterdir()) == []


def test_a_file_that_is_no_image_is_refused(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("<html>")
    with pytest.raises(DataError, match="it holds HTML or XML, not an image"):
        show_convolution(image=path)


def test_a_page_that_is_there_is_left_as_it_is():
    Path("mine.html").write_text("precious")
    for show in (show_convolution, show_pooling, show_activation):
        with pytest.raises(RunError, match=r"mine.html exists and is left as it is; choose"):
            show(out="mine.html")
    assert Path("mine.html").read_text() == "precious"
