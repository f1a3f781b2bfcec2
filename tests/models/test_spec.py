"""A specification comes back from JSON as it was, and cannot exist wrongly."""

import dataclasses
import json
import subprocess
import sys

import pytest

from tellapart.data.images.drawing import DrawingStyle
from tellapart.errors import ConfigError
from tellapart.models.spec import ClassifierSpec, Normalization

STYLE = DrawingStyle("dark", 0.6, 0.7, 0.8, 0.5, 0.5, 0.05)
SPEC = ClassifierSpec(
    network="small-residual",
    class_names=("ant", "数"),
    image_shape=(1, 8, 9),
    normalization=Normalization((0.5,), (0.25,)),
    arguments={"width": 2},
    fit="crop",
    white_level=4095,
    style=STYLE,
    views="mirrored",
    thresholds={"ant": 0.25},
)


def test_it_comes_back_from_json():
    assert ClassifierSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


def test_every_field_is_written():
    assert SPEC.to_json().keys() == {entry.name for entry in dataclasses.fields(ClassifierSpec)}


def test_the_frame_is_what_image_files_are_made_to_fit():
    frame = SPEC.frame
    assert (frame.channels, frame.height, frame.width) == (1, 8, 9)
    assert (frame.fit, frame.white_level) == ("crop", 4095)


def test_it_is_never_reassigned():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPEC.views = "plain"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"white_level": 1000}, "white_level must be one of 255"),
        ({"class_names": ("a",)}, "at least 2 different"),
        ({"image_shape": (1, 8)}, "3 positive sizes"),
        ({"normalization": Normalization((0.1, 0.2), (1, 1))}, "one for each of the 1; got 2"),
        ({"thresholds": {"ant": 0.0}}, "thresholds.ant must be greater than 0"),
        ({"thresholds": {"ant": 1.0}}, "thresholds.ant must be less than 1"),
        ({"thresholds": {"ant": "low"}}, "thresholds.ant must be a number"),
        ({"thresholds": {"aunt": 0.5}}, "no class is called 'aunt'; did you mean 'ant'"),
        ({"thresholds": {"ant": 0.5, "数": 0.5}}, "one class at most, got 2: ant, 数"),
        ({"views": "two"}, "views must be one of plain"),
        ({"style": dataclasses.replace(STYLE, row=float("inf"))}, "fractions of the frame"),
    ],
)
def test_a_wrong_value_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(SPEC, **change)


def test_reading_an_image_for_a_classifier_loads_no_torch(tmp_path):
    code = (
        "import json, sys, PIL.Image, tellapart\n"
        "PIL.Image.new('L', (30, 40), 250).save('page.png')\n"
        "spec = tellapart.ClassifierSpec.from_json(json.loads(sys.argv[1]))\n"
        "assert tellapart.read_image('page.png', spec).pixels.shape == (1, 8, 9)\n"
        "assert 'torch' not in sys.modules\n"
    )
    arguments = [sys.executable, "-c", code, json.dumps(SPEC.to_json())]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
